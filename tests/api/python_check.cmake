# What property tests in Python have in their environment: the library, and
# under a sanitizer its runtime, which Python must load first.
set(NCG_PYTHON_CHECK "NCG_LIBRARY=$<TARGET_FILE:ncgraph>"
  "PYTHONDONTWRITEBYTECODE=1")
if(NCG_SANITIZE MATCHES "address|thread")
  set(runtime asan)
  set(options "ASAN_OPTIONS=detect_leaks=0")
  if(NCG_SANITIZE MATCHES thread)
    set(runtime tsan)
    # Python and NumPy are not instrumented.
    set(options "TSAN_OPTIONS=ignore_noninstrumented_modules=1")
  endif()
  execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=lib${runtime}.so
    OUTPUT_VARIABLE runtime OUTPUT_STRIP_TRAILING_WHITESPACE)
  list(APPEND NCG_PYTHON_CHECK "LD_PRELOAD=${runtime}" "${options}"
    "NCG_SHARE=0.3")
endif()
