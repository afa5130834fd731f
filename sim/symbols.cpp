// SPDX-License-Identifier: GPL-2.0-only
//
// Reads the ELF file that runs. Lines come from binutils' or elfutils' addr2line, which know DWARF.
#include "sim/symbols.h"

#include <cxxabi.h>
#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include <fmt/format.h>

namespace skbwalk::sim {

namespace {

constexpr const char *self = "/proc/self/exe";

// "skbwalk::(anonymous namespace)::f(skbwalk::sk_buff&) [clone .part.0]" -> "f"
std::string plain_name(const std::string &linker)
{
	int status = 0;
	const std::unique_ptr<char, decltype(&std::free)> demangled{
		abi::__cxa_demangle(linker.c_str(), nullptr, nullptr, &status), &std::free};
	std::string text = status == 0 && demangled ? demangled.get() : linker.substr(0, linker.find('.'));

	// Up to the parameters: the first bracket that is not a namespace's or an operator's.
	std::size_t depth = 0, from = 0, i = 0;
	for (; i < text.size(); ++i) {
		const char c = text[i];
		if (text.compare(i, 21, "(anonymous namespace)") == 0) {
			i += 20;
			continue;
		}
		if (c == '<')
			++depth;
		else if (c == '>' && depth)
			--depth;
		else if (c == '(' && !depth)
			break;
		else if (c == '[' && !depth)
			break;
		else if (c == ' ' && !depth)
			from = i + 1; // a template's return type stands before
		else if (c == ':' && !depth)
			from = i + 1;
	}
	if (from >= i && from > 0)
		return text;
	return text.substr(from, i - from);
}

template <class T> const T *at_offset(const std::string &image, u64 offset, u64 count = 1)
{
	if (offset > image.size() || count > (image.size() - offset) / sizeof(T))
		return nullptr;
	return reinterpret_cast<const T *>(image.data() + offset);
}

} // namespace

symbol_table::symbol_table(const std::string &file)
{
	std::ifstream in{file, std::ios::binary};
	const std::string image{std::istreambuf_iterator<char>{in}, {}};
	const auto *header = at_offset<Elf64_Ehdr>(image, 0);

	if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return;
	const auto *sections = at_offset<Elf64_Shdr>(image, header->e_shoff, header->e_shnum);
	for (u32 s = 0; sections && s < header->e_shnum; ++s) {
		if (sections[s].sh_type != SHT_SYMTAB || sections[s].sh_link >= header->e_shnum)
			continue;
		const u64 count = sections[s].sh_size / sizeof(Elf64_Sym);
		const auto *entries = at_offset<Elf64_Sym>(image, sections[s].sh_offset, count);
		const Elf64_Shdr &strings = sections[sections[s].sh_link];
		for (u64 i = 0; entries && i < count; ++i) {
			const Elf64_Sym &e = entries[i];
			if (ELF64_ST_TYPE(e.st_info) != STT_FUNC || !e.st_value || !e.st_size)
				continue;
			const char *name = at_offset<char>(image, strings.sh_offset + e.st_name);
			if (name)
				symbols_.push_back({e.st_value, e.st_size, plain_name(name), name});
		}
	}
	std::ranges::sort(symbols_, {}, &symbol::address);
}

const symbol_table &symbol_table::own()
{
	static const symbol_table table{self};
	return table;
}

const symbol *symbol_table::at(u64 address) const
{
	auto it = std::ranges::upper_bound(symbols_, address, {}, &symbol::address);
	if (it == symbols_.begin())
		return nullptr;
	--it;
	return address < it->address + it->size ? &*it : nullptr;
}

std::vector<const symbol *> symbol_table::named(std::string_view name) const
{
	std::vector<const symbol *> out;
	for (const symbol &s : symbols_)
		if (s.name == name)
			out.push_back(&s);
	return out;
}

std::string path_in_tree(const std::string &file)
{
	std::string path = std::filesystem::path(file).lexically_normal().string();

	// Built in build/PRESET, a file is two folders up.
	while (path.starts_with("../"))
		path.erase(0, 3);
	for (const std::string_view room : {"stack/", "devices/", "sim/"})
		if (const std::size_t at = path.find("/" + std::string(room)); at != std::string::npos)
			return path.substr(at + 1);
	return path;
}

std::vector<source_place> source_of(u64 address)
{
	// A shell that runs addr2line has another /proc/self.
	const std::string file = fmt::format("/proc/{}/exe", getpid());
	std::string text;

	for (const char *tool : {"addr2line", "eu-addr2line"}) {
		const std::string command =
			fmt::format("{} -f -C -i -e {} {:#x} 2>/dev/null", tool, file, address);
		std::FILE *pipe = popen(command.c_str(), "r");
		char buffer[4096];
		if (!pipe)
			continue;
		text.clear();
		while (const std::size_t n = std::fread(buffer, 1, sizeof(buffer), pipe))
			text.append(buffer, n);
		if (pclose(pipe) == 0 && !text.empty())
			break;
		text.clear();
	}
	if (text.empty())
		throw no_resolver{
			"lines need addr2line (Debian: binutils) or eu-addr2line (elfutils): neither runs"};

	std::vector<source_place> out;
	std::size_t from = 0;
	const auto line = [&] {
		const std::size_t end = text.find('\n', from);
		std::string one = text.substr(from, end == std::string::npos ? end : end - from);
		from = end == std::string::npos ? text.size() : end + 1;
		return one;
	};
	while (from < text.size()) {
		source_place p;
		p.function = line();
		const std::string where = line();
		const std::size_t colon = where.rfind(':');
		p.file = where.substr(0, colon);
		if (colon != std::string::npos)
			std::from_chars(where.data() + colon + 1, where.data() + where.size(), p.line);
		p.file = path_in_tree(p.file);
		out.push_back(std::move(p));
	}
	return out;
}

} // namespace skbwalk::sim
