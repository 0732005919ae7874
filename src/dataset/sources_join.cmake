# The model, calendars and units, decoding, joining of files, the listing.
list(APPEND dataset_sources
  model.c)
