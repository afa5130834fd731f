// SPDX-License-Identifier: GPL-2.0-only
//
// An initramfs: files in memory or on disk, written as one cpio archive; with what programs and modules need
// besides themselves.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace skbwalk::sim {

class initramfs {
public:
	// Folders above it are made too; paths are below /, without the first slash.
	void add_folder(const std::string &path);
	void add_text(const std::string &path, std::string bytes, unsigned mode = 0644);
	void add_file(const std::string &path, const std::filesystem::path &from, unsigned mode = 0755);
	void add_link(const std::string &path, const std::string &to);
	// The archive: cpio's "newc", which the kernel unpacks. Throws no_oracle where it cannot be written.
	void write(const std::filesystem::path &to) const;
	[[nodiscard]] std::string bytes() const;
	[[nodiscard]] bool has(const std::string &path) const { return entries_.contains(path); }

private:
	struct entry {
		unsigned mode;
		std::string bytes; // of a link: where it points
	};
	std::map<std::string, entry> entries_; // a folder comes before what is in it
};

// The libraries that an ELF file names, and its interpreter first; empty for what is no ELF file or is
// static.
[[nodiscard]] std::vector<std::string> needed_libraries(std::string_view elf);
// The value of KEY=VALUE in a module's .modinfo.
[[nodiscard]] std::string module_info(std::string_view module, std::string_view key);

// The file as a string; throws no_oracle.
[[nodiscard]] std::string read_bytes(const std::filesystem::path &file);

} // namespace skbwalk::sim
