// SPDX-License-Identifier: GPL-2.0-only
//
// cpio and a little ELF, by hand: both are a few fields.
#include "sim/oracle_image.h"

#include <cstring>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "sim/oracle_packages.h"
#include "stack/kernel/types.h"

namespace skbwalk::sim {

namespace {

constexpr unsigned folder_mode = 040755, file_type = 0100000, link_mode = 0120777;

void pad(std::string &out)
{
	while (out.size() % 4)
		out.push_back('\0');
}

void put_entry(std::string &out, unsigned number, const std::string &path, unsigned mode,
               std::string_view bytes)
{
	out += fmt::format(
		"070701{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}",
		number, mode, 0, 0, 1, 0, bytes.size(), 0, 0, 0, 0, path.size() + 1, 0);
	out += path;
	out.push_back('\0');
	pad(out);
	out += bytes;
	pad(out);
}

template <class T> T value_at(std::string_view bytes, std::size_t at)
{
	T out{};
	if (at + sizeof(T) <= bytes.size())
		std::memcpy(&out, bytes.data() + at, sizeof(T));
	return out;
}

std::string text_at(std::string_view bytes, std::size_t at)
{
	if (at >= bytes.size())
		return {};
	const std::string_view rest = bytes.substr(at);
	return std::string{rest.substr(0, rest.find('\0'))};
}

} // namespace

std::string read_bytes(const std::filesystem::path &file)
{
	std::ifstream in{file, std::ios::binary};
	std::ostringstream out;
	out << in.rdbuf();
	if (!in)
		throw no_oracle(fmt::format("{}: cannot be read", file.string()));
	return std::move(out).str();
}

void initramfs::add_folder(const std::string &path)
{
	for (std::size_t slash = path.find('/'); slash != std::string::npos;
	     slash = path.find('/', slash + 1))
		entries_.insert({path.substr(0, slash), {folder_mode, {}}});
	entries_.insert({path, {folder_mode, {}}});
}

void initramfs::add_text(const std::string &path, std::string bytes, unsigned mode)
{
	if (const std::size_t slash = path.rfind('/'); slash != std::string::npos)
		add_folder(path.substr(0, slash));
	entries_.insert_or_assign(path, entry{file_type | mode, std::move(bytes)});
}

void initramfs::add_file(const std::string &path, const std::filesystem::path &from, unsigned mode)
{
	add_text(path, read_bytes(from), mode);
}

void initramfs::add_link(const std::string &path, const std::string &to)
{
	add_text(path, to, 0);
	entries_[path].mode = link_mode;
}

std::string initramfs::bytes() const
{
	std::string out;
	unsigned number = 1;
	for (const auto &[path, e] : entries_)
		put_entry(out, number++, path, e.mode, e.bytes);
	put_entry(out, 0, "TRAILER!!!", 0, {});
	out.resize((out.size() + 511) / 512 * 512);
	return out;
}

void initramfs::write(const std::filesystem::path &to) const
{
	std::ofstream out{to, std::ios::binary};
	out << bytes();
	out.close();
	if (!out)
		throw no_oracle(fmt::format("{}: cannot be written", to.string()));
}

std::vector<std::string> needed_libraries(std::string_view elf)
{
	constexpr u32 pt_load = 1, pt_dynamic = 2, pt_interp = 3;
	constexpr u64 dt_null = 0, dt_needed = 1, dt_strtab = 5;
	struct segment {
		u64 offset, address, size;
	};

	if (!elf.starts_with("\x7f"
	                     "ELF\x02\x01"))
		return {};
	const auto headers = value_at<u64>(elf, 32);
	const auto size = value_at<u16>(elf, 54), count = value_at<u16>(elf, 56);
	std::vector<segment> loads;
	segment dynamic{};
	std::vector<std::string> out;
	for (u16 i = 0; i < count; ++i) {
		const std::size_t at = headers + std::size_t{i} * size;
		const segment s{value_at<u64>(elf, at + 8), value_at<u64>(elf, at + 16),
		                value_at<u64>(elf, at + 32)};
		const auto type = value_at<u32>(elf, at);
		if (type == pt_load)
			loads.push_back(s);
		else if (type == pt_dynamic)
			dynamic = s;
		else if (type == pt_interp)
			out.push_back(text_at(elf, s.offset));
	}
	std::vector<u64> names;
	u64 strings = 0;
	for (std::size_t at = dynamic.offset; at + 16 <= dynamic.offset + dynamic.size; at += 16) {
		const auto tag = value_at<u64>(elf, at), value = value_at<u64>(elf, at + 8);
		if (tag == dt_null)
			break;
		if (tag == dt_needed)
			names.push_back(value);
		else if (tag == dt_strtab)
			strings = value;
	}
	for (const segment &l : loads)
		if (strings >= l.address && strings < l.address + l.size) {
			for (const u64 name : names)
				out.push_back(text_at(elf, strings - l.address + l.offset + name));
			break;
		}
	return out;
}

std::string module_info(std::string_view module, std::string_view key)
{
	const std::string wanted = fmt::format("{}=", key);
	for (std::size_t at = module.find(wanted); at != std::string_view::npos;
	     at = module.find(wanted, at + 1))
		if (at == 0 || module[at - 1] == '\0')
			return text_at(module, at + wanted.size());
	return {};
}

} // namespace skbwalk::sim
