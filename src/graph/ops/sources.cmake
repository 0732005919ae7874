# Operations on whole arrays, made of nodes.
target_sources(ncg_graph PRIVATE
  ops/blocks.c ops/contract.c ops/reshape.c ops/rechunk.c ops/scan.c ops/shape.c ops/view.c)
target_sources(ncg_graph PRIVATE ops/quantile.c ops/quantile_long.c ops/sort.c ops/window.c)
