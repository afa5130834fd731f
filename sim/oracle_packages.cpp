// SPDX-License-Identifier: GPL-2.0-only
//
// apt-cache says what there is, apt-get fetches it, dpkg-deb unpacks it.
#include "sim/oracle_packages.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <sstream>
#include <unistd.h>

#include <fmt/format.h>

#include "sim/process.h"

namespace skbwalk::sim {

namespace {

namespace fs = std::filesystem;

const std::string measured_kernels = "^linux-image-6\\.1\\.0-[0-9]+-amd64$";

std::vector<std::string> lines_of(const std::string &text)
{
	std::istringstream in{text};
	std::vector<std::string> out;
	for (std::string line; std::getline(in, line);)
		out.push_back(line);
	return out;
}

// The version that apt would download, by package; what it does not know is not there.
std::map<std::string, std::string> offered_versions(const std::vector<std::string> &packages)
{
	std::vector<std::string> words = {"apt-cache", "show", "--no-all-versions"};
	words.insert(words.end(), packages.begin(), packages.end());
	std::map<std::string, std::string> out;
	std::string name;
	for (const std::string &line : lines_of(run_process(words).output)) {
		if (line.starts_with("Package: "))
			name = line.substr(9);
		else if (line.starts_with("Version: "))
			out.emplace(name, line.substr(9));
	}
	return out;
}

std::string last_lines(const std::string &text, std::size_t count)
{
	const std::vector<std::string> all = lines_of(text);
	std::string out;
	for (std::size_t i = all.size() > count ? all.size() - count : 0; i < all.size(); ++i)
		out += "\n  " + all[i];
	return out;
}

// The last number of the name: the ABI.
long abi_of(std::string_view name)
{
	long out = -1;
	for (std::size_t i = 0; i < name.size();) {
		if (name[i] < '0' || name[i] > '9') {
			++i;
			continue;
		}
		long n = 0;
		for (; i < name.size() && name[i] >= '0' && name[i] <= '9'; ++i)
			n = n * 10 + (name[i] - '0');
		if (n != 64) // of amd64
			out = n;
	}
	return out;
}

fs::path default_folder()
{
	const char *const cache = std::getenv("XDG_CACHE_HOME");
	const char *const home = std::getenv("HOME");
	if (cache && *cache)
		return fs::path{cache} / "skbwalk";
	if (home && *home)
		return fs::path{home} / ".cache/skbwalk";
	throw no_oracle("neither XDG_CACHE_HOME nor HOME is set: expected a folder by --cache");
}

} // namespace

std::string newest_of(const std::vector<std::string> &kernel_packages)
{
	const auto it = std::ranges::max_element(kernel_packages, {}, abi_of);
	return it == kernel_packages.end() ? std::string{} : *it;
}

package_cache::package_cache(const fs::path &folder) : folder_(folder.empty() ? default_folder() : folder)
{
	std::error_code error;
	folder_ = fs::absolute(folder_);
	fs::create_directories(folder_, error);
	if (error)
		throw no_oracle(fmt::format("{}: {}", folder_.string(), error.message()));
}

// Without a version any; the newest by the time of unpacking.
fs::path package_cache::cached(const std::string &package, const std::string &version) const
{
	if (!version.empty()) {
		const fs::path at = folder_ / fmt::format("{}_{}", package, version);
		return fs::is_directory(at) ? at : fs::path{};
	}
	fs::path newest;
	std::error_code ignored;
	for (const auto &entry : fs::directory_iterator(folder_, ignored))
		if (entry.is_directory() && entry.path().filename().string().starts_with(package + "_") &&
		    (newest.empty() || fs::last_write_time(entry) > fs::last_write_time(newest)))
			newest = entry.path();
	return newest;
}

void package_cache::download(const std::vector<std::string> &packages)
{
	const fs::path to = folder_ / fmt::format("download.{}", getpid());
	fs::create_directories(to);
	fmt::print(stderr, "skbwalk: downloading {}\n", fmt::join(packages, " "));
	std::vector<std::string> words = {"apt-get", "-q", "-o", "APT::Sandbox::User=root", "download"};
	words.insert(words.end(), packages.begin(), packages.end());
	const process_result got = run_process(words, {.folder = to.string()});
	const auto fail = [&to](const std::string &text) {
		std::error_code ignored;
		fs::remove_all(to, ignored);
		throw no_oracle(text);
	};
	if (got.status)
		fail(fmt::format("apt-get download {}: it fails:{}", fmt::join(packages, " "),
		                 last_lines(got.output, 6)));
	for (const auto &entry : fs::directory_iterator(to)) {
		if (entry.path().extension() != ".deb")
			continue;
		const std::string deb = entry.path().string();
		const std::vector<std::string> fields = lines_of(
			run_process({"dpkg-deb", "-f", deb, "Package", "Version"}, {.with_stderr = false})
				.output);
		if (fields.size() < 2 || !fields[0].starts_with("Package: ") ||
		    !fields[1].starts_with("Version: "))
			fail(fmt::format("{}: is no Debian package", deb));
		const std::string name = fmt::format("{}_{}", fields[0].substr(9), fields[1].substr(9));
		const process_result unpacked = run_process({"dpkg-deb", "-x", deb, (to / name).string()});
		if (unpacked.status)
			fail(fmt::format("dpkg-deb -x {}: it fails:{}", deb, last_lines(unpacked.output, 6)));
		fs::last_write_time(to / name, fs::file_time_type::clock::now());
		std::error_code ignored;
		fs::rename(to / name, folder_ / name, ignored); // another run may have been faster
	}
	std::error_code ignored;
	fs::remove_all(to, ignored);
}

std::vector<fs::path> package_cache::unpacked(const std::vector<std::string> &packages)
{
	std::map<std::string, std::string> versions = offered_versions(packages);
	std::vector<std::string> missing;
	for (const std::string &p : packages)
		if (cached(p, versions[p]).empty())
			missing.push_back(p);
	for (const std::string &p : missing)
		if (versions[p].empty())
			throw no_oracle(
				fmt::format("{}: apt offers no such package (`apt-get update' fetches the "
			                    "lists; backports are a source of their own)",
			                    p));
	if (!missing.empty())
		download(missing);
	std::vector<fs::path> out;
	for (const std::string &p : packages) {
		out.push_back(cached(p, versions[p]));
		if (out.back().empty())
			throw no_oracle(fmt::format("{} {}: apt-get has not downloaded it", p, versions[p]));
	}
	return out;
}

fs::path package_cache::unpacked(const std::string &package)
{
	return unpacked(std::vector<std::string>{package}).front();
}

std::string package_cache::newest_kernel() const
{
	const process_result r = run_process({"apt-cache", "search", "--names-only", measured_kernels});
	std::vector<std::string> names;
	for (const std::string &line : lines_of(r.output))
		if (line.starts_with("linux-image-"))
			names.push_back(line.substr(0, line.find(' ')));
	if (names.empty()) {
		std::error_code ignored;
		for (const auto &entry : fs::directory_iterator(folder_, ignored))
			if (const std::string name = entry.path().filename().string();
			    name.starts_with("linux-image-6.1."))
				names.push_back(name.substr(0, name.find('_')));
	}
	if (names.empty())
		throw no_oracle(
			"apt offers no linux-image-6.1.0-*-amd64 (`apt-get update' fetches the lists), and "
			"none is in the cache");
	return newest_of(names);
}

} // namespace skbwalk::sim
