# Roles, selection, groups, weights, reductions and their CF metadata, output.
list(APPEND dataset_sources
  anomaly.c
  cf_attrs.c
  cf_coords.c
  cf_methods.c
  cf_refs.c
  cf_windows.c
  groups.c
  output.c
  pick.c
  reduce.c
  roles.c
  select.c
  select_time.c
  select_values.c
  weights.c
  widen.c)
