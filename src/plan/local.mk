libsecateur_a_SOURCES += \
  src/plan/plan.h \
  src/plan/plan_csv.h \
  src/plan/selector.h
