# the sample model
