# The sample model with its text, a plan and a script; installed with the program.
sample_model_files = \
  samples/model/README.md \
  samples/model/config.json \
  samples/model/model.safetensors \
  samples/model/stories.txt \
  samples/model/tokenizer.json \
  samples/model/tokenizer_config.json
sample_files = samples/plan.csv samples/session.script
samplesdir = $(pkgdatadir)/samples
samplesmodeldir = $(pkgdatadir)/samples/model
dist_samples_DATA = $(sample_files)
dist_samplesmodel_DATA = $(sample_model_files)
