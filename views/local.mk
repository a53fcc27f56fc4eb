libviews_a_SOURCES += \
  views/activations.c views/channels.c views/channels.h \
  views/cells.c views/cells.h \
  views/chart.c views/chart_axes.c views/chart.h \
  views/command_screen.c \
  views/compare.c \
  views/density.c views/density.h \
  views/draw.c views/draw.h \
  views/editor.h views/editor_plain.c views/editor_readline.c \
  views/evaluations.c \
  views/glyphs.c views/glyphs.h \
  views/heatmap.c \
  views/help.c \
  views/keymap.c views/keymap.h \
  views/known.c views/known.h \
  views/option.c \
  views/other_plan.c views/other_plan.h \
  views/overview.c views/overview_draw.c views/overview_state.h \
  views/plan_figures.c views/plan_figures.h views/plans.c \
  views/prompt.c views/prompt.h \
  views/rows.c views/rows.h \
  views/resources.c views/resources.h \
  views/run.c \
  views/screen.c views/screen.h views/screen_draw.c views/screen_input.c views/screen_state.h \
  views/sensitivity.c views/sensitivity_facts.c views/sensitivity_facts.h \
  views/sensitivity_grid.c views/sensitivity_grid.h \
  views/table.c views/table.h \
  views/terminal.c views/terminal.h views/terminal_signal.c views/terminal_signal.h \
  views/theme.c views/theme.h \
  views/view.h views/views.c \
  views/weights.c views/weights_norms.c views/weights_norms.h
