# Roles, selection, groups, weights, reductions and their CF metadata, output.
list(APPEND dataset_sources
  align.c
  anomaly.c
  arith.c
  cf_attrs.c
  cf_coords.c
  cf_methods.c
  cf_refs.c
  cf_windows.c
  concat.c
  edit.c
  groups.c
  index.c
  merge.c
  output.c
  pick.c
  quantile.c
  reduce.c
  rename.c
  roles.c
  select.c
  select_number.c
  select_time.c
  select_values.c
  weights.c
  widen.c)
