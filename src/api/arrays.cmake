# Arrays: one file for each group of functions of the header.
target_sources(ncg_api PRIVATE
  array.c array_args.c array_block.c array_compute.c array_index.c array_map.c
  array_product.c array_reduce.c array_reduction.c array_scan.c array_shape.c)
target_sources(ncg_api PRIVATE array_quantile.c array_window.c)
