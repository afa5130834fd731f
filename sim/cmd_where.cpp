// SPDX-License-Identifier: GPL-2.0-only
//
// skbwalk where: a function of the program, with or without an offset, or an address, to lines: ours, from
// the program's debug information, and the file of the kernel that it models.
#include <charconv>
#include <vector>

#include <fmt/format.h>

#include "sim/commands.h"
#include "sim/probes.h"
#include "sim/profile.h"
#include "sim/symbols.h"

namespace skbwalk::sim {

namespace {

// "stack/ipv4/tcp_input_ack.cpp" -> "net/ipv4/": where the kernel has it, when no list says the file.
std::string kernel_folder(std::string_view file)
{
	const std::pair<std::string_view, std::string_view> folders[] = {
		{"devices/", "drivers/net/"},
		{"stack/kernel/", "kernel/"},
		{"stack/security/", "security/"},
		{"stack/ethernet/", "net/ethernet/"},
		{"stack/", "net/"},
	};
	for (const auto &[ours, theirs] : folders)
		if (file.starts_with(ours)) {
			const std::string_view rest = file.substr(ours.size());
			return fmt::format("{}{}", theirs, rest.substr(0, rest.rfind('/') + 1));
		}
	return {};
}

struct asked_place {
	std::string name;
	u64 offset = 0;
	bool is_address = false;
};

asked_place parse(const std::string &text)
{
	asked_place a;
	const std::size_t plus = text.find('+');
	const std::string_view number =
		plus == std::string::npos ? std::string_view{} : std::string_view{text}.substr(plus + 1);

	const auto value = [&](std::string_view digits) {
		const bool hex = digits.starts_with("0x");
		u64 v = 0;
		if (hex)
			digits.remove_prefix(2);
		// ftrace writes +OFFSET/SIZE.
		digits = digits.substr(0, digits.find('/'));
		const auto [end, error] =
			std::from_chars(digits.data(), digits.data() + digits.size(), v, hex ? 16 : 10);
		if (error != std::errc{} || end != digits.data() + digits.size())
			throw bad_probe(fmt::format(
				"where: expected FUNCTION, FUNCTION+OFFSET or 0xADDRESS, found {}", text));
		return v;
	};
	a.name = text.substr(0, plus);
	if (a.name.starts_with("0x")) {
		a.offset = value(a.name);
		a.is_address = true;
	} else if (plus != std::string::npos) {
		a.offset = value(number);
	}
	return a;
}

std::string lines_at(u64 address)
{
	std::string out;
	for (const source_place &p : source_of(address))
		out += fmt::format("  {}:{} {}\n", p.file, p.line, p.function);
	return out;
}

std::string kernel_file(std::string_view function, std::string_view site_file)
{
	const profile measured = profile::load("linux-6.1");
	if (const std::string_view known = measured.kernel_file(function); !known.empty())
		return std::string(known);
	return fmt::format("{} (function {})", kernel_folder(site_file), function);
}

} // namespace

std::string where(const std::string &text)
{
	const asked_place asked = parse(text);
	const symbol_table &symbols = symbol_table::own();
	std::string out;
	std::vector<std::pair<const symbol *, u64>> places; // and how far into it

	if (asked.is_address) {
		const symbol *s = symbols.at(asked.offset);
		if (!s)
			throw bad_probe(fmt::format("where: no function of the program is at {}", text));
		places.emplace_back(s, asked.offset - s->address);
	} else {
		for (const symbol *s : symbols.named(asked.name))
			if (asked.offset < s->size)
				places.emplace_back(s, asked.offset);
	}
	std::string name = asked.is_address ? places.front().first->name : asked.name;
	std::string site_file;
	u32 site_line = 0;
	trace::for_each_site([&](const trace::site &s) {
		if (s.name == name) {
			site_file = path_in_tree(s.file);
			site_line = s.line;
		}
	});
	if (places.empty() && site_file.empty())
		check_pattern("where", name); // says what comes near
	if (places.empty() && asked.offset && !symbols.named(name).empty())
		throw bad_probe(
			fmt::format("where: {} is {} bytes long", name, symbols.named(name).front()->size));
	for (const auto &[s, offset] : places)
		out += fmt::format("{}+{:#x}/{:#x} at {:#x}\n{}", s->name, offset, s->size,
		                   s->address + offset, lines_at(s->address + offset));
	if (places.empty())
		out += fmt::format("{}: inlined everywhere in this program\n", name);
	if (!site_file.empty())
		out += fmt::format("source: {}:{}\nkernel: {}\n", site_file, site_line,
		                   kernel_file(name, site_file));
	return out;
}

} // namespace skbwalk::sim
