# The manual page and the bash completion are made from the program's tables and kept in the tree, so that building needs
# no second step; cli_test fails when they differ. `make regenerate` renews them.
dist_man_MANS = man/secateur.1
completiondir = $(datadir)/bash-completion/completions
dist_completion_DATA = man/secateur

regenerate: secateur$(EXEEXT)
	./secateur$(EXEEXT) --dump-manual > $(srcdir)/man/secateur.1.new && mv $(srcdir)/man/secateur.1.new $(srcdir)/man/secateur.1
	./secateur$(EXEEXT) --dump-completion > $(srcdir)/man/secateur.new && mv $(srcdir)/man/secateur.new $(srcdir)/man/secateur
