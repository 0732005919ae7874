# The model, calendars and units, decoding, joining of files, the listing.
list(APPEND dataset_sources
  model.c
  calendar.c time_units.c units.c
  decode.c decode_values.c refs.c
  join.c join_group.c join_axis.c join_read.c join_check.c join_order.c
  join_scalar.c join_source.c join_build.c join_merge.c
  join_inner.c
  describe.c)
