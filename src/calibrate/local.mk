libsecateur_a_SOURCES +=
