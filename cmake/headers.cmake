# SPDX-License-Identifier: GPL-2.0-only
#
# Target `headers`: each header compiles alone. Part of the lint, not of the default build.
function(skbwalk_headers_target)
	file(GLOB_RECURSE headers RELATIVE "${CMAKE_SOURCE_DIR}" CONFIGURE_DEPENDS
		"${CMAKE_SOURCE_DIR}/stack/*.h" "${CMAKE_SOURCE_DIR}/devices/*.h" "${CMAKE_SOURCE_DIR}/sim/*.h")
	set(sources)
	foreach(header IN LISTS headers)
		set(source "${CMAKE_CURRENT_BINARY_DIR}/headers/${header}.cpp")
		file(CONFIGURE OUTPUT "${source}" CONTENT "#include \"@header@\"\n" @ONLY)
		list(APPEND sources "${source}")
	endforeach()
	if(NOT sources)
		add_custom_target(headers)
		return()
	endif()
	add_library(headers OBJECT EXCLUDE_FROM_ALL ${sources})
	target_link_libraries(headers PRIVATE skbwalk_flags)
	target_compile_options(headers PRIVATE -O0 -g0)
endfunction()
