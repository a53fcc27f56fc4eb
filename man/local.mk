# man/secateur.1 and the shell completion are made from the tables
