libsecateur_a_SOURCES += \
  src/plan/allocate_group.c src/plan/allocate_group.h \
  src/plan/allocate.c src/plan/allocate.h \
  src/plan/budget.c \
  src/plan/cost.c src/plan/cost.h \
  src/plan/count.c src/plan/count.h \
  src/plan/curve.c src/plan/curve.h \
  src/plan/findings.c src/plan/findings.h \
  src/plan/forecast.c src/plan/forecast.h src/plan/forecast_state.h \
  src/plan/forecast_anchors.c \
  src/plan/history.c \
  src/plan/interchange.c src/plan/interchange.h src/plan/interchange_state.h \
  src/plan/interchange_evopress.c \
  src/plan/interchange_list.c \
  src/plan/interchange_recipe.c src/plan/interchange_recipe_read.c \
  src/plan/knowledge_file.c src/plan/knowledge_file.h \
  src/plan/plan.c src/plan/plan.h src/plan/plan_state.h \
  src/plan/plan_csv.c src/plan/plan_csv.h \
  src/plan/probe.c src/plan/probe.h \
  src/plan/selector.c src/plan/selector.h \
  src/plan/sensitivity.c src/plan/sensitivity.h \
  src/plan/snapshot.c \
  src/plan/spectrum.c src/plan/spectrum.h \
  src/plan/strategy_alpha.c \
  src/plan/strategy_atp.c \
  src/plan/strategy_dlp.c \
  src/plan/strategy_erk.c \
  src/plan/strategy_fisher.c \
  src/plan/strategy_global.c \
  src/plan/strategy_influence.c \
  src/plan/strategy_knapsack.c \
  src/plan/strategy_lamp.c \
  src/plan/strategy_owl.c \
  src/plan/strategy_uniform.c
