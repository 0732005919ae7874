list(APPEND engine_kernel_sources
  kernel/kernel.c kernel/task.c kernel/gather.c kernel/piece.c kernel/fused.c
  kernel/combine.c kernel/block.c kernel/block_most.c kernel/block_shape.c
  kernel/block_scan.c kernel/block_contract.c kernel/registry.c
  kernel/store.c kernel/fold.c kernel/fold_scalar.c kernel/fold_plain.c kernel/merge.c
  kernel/strips.c kernel/packed.c kernel/piece_strips.c kernel/row_sums.c
  kernel/copy_even.c kernel/copy_turn_base.c kernel/copy_turn_avx2.c
  kernel/moved.c kernel/turn.c kernel/view.c kernel/encode.c kernel/walk.c kernel/isa.c kernel/isa_base.c
  kernel/isa_avx2.c kernel/isa_map_base.c kernel/isa_map_avx2.c
  kernel/map_scalar.c kernel/vm.c
  kernel/select_base.c kernel/select_avx2.c kernel/quantile_index.c
  kernel/block_quantile.c kernel/block_quantile_long.c kernel/block_sort.c
  kernel/block_rolling.c kernel/block_coarsen.c kernel/chunk_values.c)
# The loops need the vectoriser in every build; the same flags otherwise, so
# that all instruction sets round alike.
set_source_files_properties(kernel/fold.c kernel/merge.c
  kernel/encode.c PROPERTIES COMPILE_OPTIONS "-O3")
# How vectors would be passed matters to no one: those functions are inlined.
set_source_files_properties(kernel/isa_base.c kernel/isa_map_base.c
  kernel/select_base.c PROPERTIES
  COMPILE_OPTIONS "-O3;-Wno-psabi")
set(avx2_flags "-O3")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  list(APPEND avx2_flags -mavx2 -mno-fma)
endif()
set_source_files_properties(kernel/isa_avx2.c kernel/isa_map_avx2.c
  kernel/select_avx2.c kernel/copy_turn_avx2.c PROPERTIES
  COMPILE_OPTIONS "${avx2_flags}")
list(APPEND engine_kernel_sources kernel/tasks.c kernel/tiles.c kernel/values.c)
set_source_files_properties(kernel/block_scan.c kernel/block_contract.c
  PROPERTIES COMPILE_OPTIONS "-O3")
