# Compiler and linker flags, the same for every target (style: docs/architecture.md, "Builds").
set(WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wundef -Wvla
    -Wformat=2 -Wcast-qual)
add_compile_options(${WARNINGS}
    "$<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes;-Wmissing-prototypes>")
if(VARVE_WERROR)
    add_compile_options(-Werror)
endif()

# Results must not depend on the compiler: no fused multiply-add, no fast-math.
add_compile_options(-ffp-contract=off -fno-math-errno -fno-trapping-math -fno-strict-overflow
    -fno-delete-null-pointer-checks -fvisibility=hidden)
add_compile_definitions(_GNU_SOURCE _FILE_OFFSET_BITS=64)

if(VARVE_SANITIZE)
    add_compile_options(-fsanitize=${VARVE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${VARVE_SANITIZE})
    add_compile_definitions(VARVE_SANITIZED=1)
    if(VARVE_FUZZ) # coverage, without which libFuzzer is blind
        add_compile_options(-fsanitize=fuzzer-no-link)
    endif()
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
    add_compile_options(-g -fstack-protector-strong -fstack-clash-protection -fcf-protection
        -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
    add_link_options(-pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
    add_link_options(-flto=auto)
endif()
