libviews_a_SOURCES += views/view.h views/screen.h views/draw.c views/draw.h views/glyphs.c views/glyphs.h \
  views/theme.c views/theme.h
