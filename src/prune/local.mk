libsecateur_a_SOURCES += \
  src/prune/admm.c src/prune/admm.h \
  src/prune/admm_fast.c \
  src/prune/alps.c \
  src/prune/compensate.c src/prune/compensate.h \
  src/prune/dsnot.c \
  src/prune/factor.c src/prune/factor.h \
  src/prune/layer.c src/prune/layer.h \
  src/prune/least_squares.c src/prune/least_squares.h \
  src/prune/magnitude_method.c \
  src/prune/method.c src/prune/method.h \
  src/prune/obd.c \
  src/prune/pattern.c src/prune/pattern.h \
  src/prune/pattern_select.c \
  src/prune/select.c src/prune/select.h \
  src/prune/select_avx512.c src/prune/select_avx512.h \
  src/prune/permute.c src/prune/permute.h \
  src/prune/proximal.c \
  src/prune/repair.c src/prune/rowwise.c \
  src/prune/ria.c \
  src/prune/schedule.c src/prune/schedule.h \
  src/prune/score.c src/prune/score.h \
  src/prune/score_methods.h \
  src/prune/solver_methods.h \
  src/prune/sparsegpt.c src/prune/sparsegpt.h \
  src/prune/sparsegpt_panel.c src/prune/sparsegpt_panel.h \
  src/prune/stepwise.c src/prune/stepwise.h \
  src/prune/support.c src/prune/support.h \
  src/prune/wanda.c
