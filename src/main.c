/* Picks a face: terminal, subcommand, script. */
int main(void) {
    return 0;
}
