# list(APPEND dataset_sources NAME.c): model, calendar, units, decoding, joining, listing
