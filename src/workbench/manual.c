#include "config.h"

#include "workbench/manual.h"

#include "workbench/command_help.h"
#include "workbench/invocation.h"
#include "workbench/report_calibration.h"
#include "workbench/report_column.h"
#include "workbench/report_evaluations.h"

static const char *const synopsis[] = {"secateur [MODEL]", "secateur --script FILE MODEL",
                                       "secateur COMMAND MODEL [...]", "secateur help [COMMAND]"};

static const struct {
    const char *status, *meaning;
} statuses[] = {
    {"0", "done"},
    {"1", "failed: disk full, a numeric failure, a system call"},
    {"2", "wrong usage, or a terminal would be needed"},
    {"3", "a file's contents are wrong"},
    {"4", "cancelled; what is finished is kept"},
};

void manual_help(struct text *output) {
    text_add(output, "secateur: prune large language models by hand\n\nUsage:\n");
    for (size_t i = 0; i < sizeof synopsis / sizeof *synopsis; i++)
        text_add(output, "  %s\n", synopsis[i]);
    text_add(output, "\nWithout a terminal, secateur MODEL prints an overview.\n\nCommands:\n");
    command_list_subcommands(output);
    text_add(output, "\nOptions everywhere:\n");
    for (size_t i = 0; i < general_option_count; i++) {
        struct text left = {0};
        text_add(&left, "--%s%s%s", general_options[i].name, general_options[i].value != NULL ? " " : "",
                 general_options[i].value != NULL ? general_options[i].value : "");
        if (!general_options[i].hidden)
            text_add(output, "  %-26s %s\n", text_string(&left), general_options[i].help);
        text_free(&left);
    }
    text_add(output, "\nN:M means keep N of every M. A sparsity is a fraction (0.5) or a percentage (50%%).\n");
}

static void page_commands(struct text *output, bool subcommands) {
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)) != NULL; i++)
        if (!subcommands || (command->flags & COMMAND_SUBCOMMAND) != 0)
            command_manual(output, command, subcommands);
}

static void page_options(struct text *output) {
    for (size_t i = 0; i < general_option_count; i++)
        if (!general_options[i].hidden)
            text_add(output, ".TP\n.B \\-\\-%s%s%s\n%s.\n", general_options[i].name,
                     general_options[i].value != NULL ? " " : "",
                     general_options[i].value != NULL ? general_options[i].value : "", general_options[i].help);
}

/* The way through, with what was measured on it; doc/walkthrough.md has the screens. */
static void page_walkthrough(struct text *output) {
    static const char *const steps[][2] = {
        {"secateur samples/model", "Open the sample model: an overview of every block and matrix."},
        {":calibrate calibrate.txt windows=64", "Run text through it; activity and sensitivity fill in."},
        {":measure calibrate.txt windows=16 around=70%", "Measure what single cuts and plans cost, so that plans "
                                                         "can be forecast."},
        {":allocate knapsack 70", "Start from a strategy: forecast perplexity 6.44, where uniform has 7.08."},
        {":budget now", "Hold the total: what one row gives, the others take."},
        {":set 0.v 55, :set 1.v 60, :set 2.v 60", "Tune three rows by hand, as the heat map suggests: forecast 6.38."},
        {":prune out method=wanda calibrate=calibrate.txt", "Write the pruned model, verified."},
        {":eval heldout.txt",
         "Measured on other text, secateur eval out heldout.txt gives 6.55 \\(+- 0.21, uniform pruning "
         "7.57 \\(+- 0.24 and the dense model 4.92."},
        {":report tables", "All of it as CSV."},
    };
    text_add(
        output,
        ".SH WALK-THROUGH\nOn the sample model, its stories cut in two texts; doc/walkthrough.md shows the screens.\n");
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        text_add(output, ".TP\n.B %s\n%s\n", steps[i][0], steps[i][1]);
}

void manual_page(struct text *output) {
    text_add(output, ".\\\" Made from the program's tables by secateur --dump-manual; do not edit.\n"
                     ".TH SECATEUR 1 \"\" \"secateur " VERSION "\" \"User commands\"\n.SH NAME\n"
                     "secateur \\- prune large language models by hand\n.SH SYNOPSIS\n");
    for (size_t i = 0; i < sizeof synopsis / sizeof *synopsis; i++)
        text_add(output, "%s.B %s\n", i > 0 ? ".br\n" : "", synopsis[i]);
    text_add(output, ".SH DESCRIPTION\n"
                     "secateur opens a language model (a Hugging Face folder or a .safetensors file), shows its blocks "
                     "and matrices, and lets you set how much to cut from each, see what the cut is forecast to cost, "
                     "prune, verify, measure and export. MODEL is opened read-only and never changed.\n.PP\n"
                     "N:M means keep N of every M. A sparsity is a fraction (0.5) or a percentage (50%%).\n"
                     ".SH SUBCOMMANDS\n");
    page_commands(output, true);
    text_add(output, ".SH OPTIONS\nUnderstood everywhere:\n");
    page_options(output);
    text_add(output, ".SH COMMANDS\nTyped after a colon in the terminal, or one on each line of a script.\n");
    page_commands(output, false);
    page_walkthrough(output);
    text_add(output, ".SH CSV COLUMNS\n");
    report_columns_manual(output);
    report_evaluations_manual(output);
    report_calibration_manual(output);
    text_add(output, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        text_add(output, ".TP\n.B %s\n%s\n", statuses[i].status, statuses[i].meaning);
    text_add(output, ".PP\nAfter a signal the program dies of that signal.\n");
}

void manual_completion(struct text *output) {
    const struct command *command;
    text_add(output, "# Made from the program's tables by secateur --dump-completion; do not edit.\n"
                     "_secateur() {\n"
                     "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words= values=\n"
                     "  case ${COMP_WORDS[1]}:$previous in\n");
    for (size_t i = 0; (command = command_at(i)) != NULL; i++)
        if ((command->flags & COMMAND_SUBCOMMAND) != 0)
            command_bash_choices(output, command);
    text_add(output, "  esac\n  values=$words\n  if [ -z \"$words\" ] && [[ $current == -* ]]; then\n    words=\"");
    for (size_t i = 0; i < general_option_count; i++)
        if (!general_options[i].hidden)
            text_add(output, "%s--%s", i > 0 ? " " : "", general_options[i].name);
    text_add(output, "\"\n    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        if ((command->flags & COMMAND_SUBCOMMAND) == 0)
            continue;
        text_add(output, "      %s) words+=\"", command->name);
        command_bash_words(output, command);
        text_add(output, "\" ;;\n");
    }
    text_add(output, "    esac\n  elif [ -z \"$words\" ] && [ \"$COMP_CWORD\" = 1 ]; then\n    words=\"");
    for (size_t i = 0; (command = command_at(i)) != NULL; i++)
        if ((command->flags & COMMAND_SUBCOMMAND) != 0)
            text_add(output, " %s", command->name);
    text_add(output, "\"\n  fi\n"
                     "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\"; "
                     "[[ $current == -* || -n $values ]] || compgen -f -- \"$current\")\n"
                     "}\ncomplete -o filenames -F _secateur secateur\n");
}
