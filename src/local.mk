bin_PROGRAMS += secateur
secateur_SOURCES = src/main.c
secateur_LDADD = libviews.a libsecateur.a $(screen_libs) $(engine_libs)
