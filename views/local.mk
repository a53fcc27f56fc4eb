libviews_a_SOURCES += views/view.h
