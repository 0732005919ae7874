# list(APPEND dataset_sources NAME.c): roles, selection, reductions, groups, weights, output
