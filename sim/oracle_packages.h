// SPDX-License-Identifier: GPL-2.0-only
//
// Debian packages, downloaded by apt and unpacked into a folder of the cache, never installed. What is in the
// cache is used as long as apt offers that version, or offers nothing.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace skbwalk::sim {

// qemu, a package or a kernel cannot be had.
struct no_oracle : std::runtime_error {
	using std::runtime_error::runtime_error;
};

class package_cache {
public:
	// Empty: $XDG_CACHE_HOME/skbwalk, or ~/.cache/skbwalk.
	explicit package_cache(const std::filesystem::path &folder);

	// The folder that holds the package's files, as they would be below /.
	std::filesystem::path unpacked(const std::string &package);
	// All of them, downloaded at once.
	std::vector<std::filesystem::path> unpacked(const std::vector<std::string> &packages);
	// The newest kernel of the measured release that apt offers, else that the cache has.
	[[nodiscard]] std::string newest_kernel() const;
	[[nodiscard]] const std::filesystem::path &folder() const { return folder_; }

private:
	[[nodiscard]] std::filesystem::path cached(const std::string &package,
	                                           const std::string &version) const;
	void download(const std::vector<std::string> &packages);

	std::filesystem::path folder_;
};

// linux-image-6.1.0-9-amd64 comes before linux-image-6.1.0-10-amd64.
[[nodiscard]] std::string newest_of(const std::vector<std::string> &kernel_packages);

} // namespace skbwalk::sim
