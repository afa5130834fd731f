# SPDX-License-Identifier: GPL-2.0-only
#
# Writes a source with the text of the files and adds it to the target: skbwalk_embed(TARGET FUNCTION FILE...).
# FUNCTION is declared in sim/embedded.h. Configuring again when a file changes is arranged for.
function(skbwalk_embed target name)
	set(body "// Generated from the files that it names.\n#include \"sim/embedded.h\"\n\n")
	# Long literals are the point here.
	string(APPEND body "#pragma GCC diagnostic ignored \"-Woverlength-strings\"\n\nnamespace skbwalk::sim {\n\n")
	string(APPEND body "static constexpr embedded_file files[] = {\n")
	foreach(file IN LISTS ARGN)
		file(READ "${file}" text)
		cmake_path(GET file FILENAME short)
		string(APPEND body "{\"${short}\", R\"~~(${text})~~\"},\n")
		set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
	endforeach()
	string(APPEND body "};\n\nstd::span<const embedded_file> ${name}() { return files; }\n\n} // namespace skbwalk::sim\n")
	set(source "${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp")
	set(before "")
	if(EXISTS "${source}")
		file(READ "${source}" before)
	endif()
	if(NOT before STREQUAL body)
		file(WRITE "${source}" "${body}")
	endif()
	target_sources(${target} PRIVATE "${source}")
endfunction()
