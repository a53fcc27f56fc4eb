libsecateur_a_SOURCES += \
  src/plan/budget.c \
  src/plan/count.c src/plan/count.h \
  src/plan/curve.c src/plan/curve.h \
  src/plan/forecast.c src/plan/forecast.h \
  src/plan/history.c \
  src/plan/plan.c src/plan/plan.h src/plan/plan_state.h \
  src/plan/plan_csv.c src/plan/plan_csv.h \
  src/plan/selector.c src/plan/selector.h \
  src/plan/sensitivity.c src/plan/sensitivity.h \
  src/plan/snapshot.c
