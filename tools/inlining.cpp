// SPDX-License-Identifier: GPL-2.0-only
//
// Reads a kernel's DWARF and writes what its compiler did to each call: data of a profile, for the views.
//
// In:   TRACEABLE  names that ftrace can trace, one a line (available_filter_functions)
//       NAMES      functions to speak about, first word of each line; '#' starts a comment
//       FILE...    vmlinux and modules with .text, .symtab and DWARF (Debian: linux-image-*-dbg)
// Out:  PREFIX.inlined and PREFIX.tailcalls; their heads explain the lines and quote PROVENANCE
//       SITES      for people: physical function, caller, callee ('*': by pointer), line in caller, fate
//
// Build and run (needs libdw-dev; linux-6.1 takes six seconds):
//   c++ -std=c++20 -O2 -o inlining tools/inlining.cpp -ldw -lelf
//   ./inlining SITES TRACEABLE NAMES PROVENANCE sim/profiles/linux-6.1 vmlinux veth.ko bridge.ko ...
//
// Order: each compile unit of interest is walked; in it each function with code of its own ("physical");
// in that the tree of inlined functions and call sites. Each becomes one site. Then the sites of a key are
// merged, and only the lines that change an answer are written. Calls through pointers come from the
// kernel's list of retpolines.

#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <gelf.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace {

using std::string;
using std::string_view;

// Compile units whose functions are looked at: prefixes of the path below the source tree.
// clang-format off
constexpr std::array unit_prefixes = {
	"net/", "security/security.c", "security/selinux/", "security/lsm_audit.c", "kernel/softirq.c",
	"kernel/time/", "kernel/sched/", "kernel/irq/",
	"kernel/entry/", "kernel/task_work.c", "fs/eventpoll.c", "fs/file.c", "fs/file_table.c",
	"fs/open.c", "fs/inode.c", "fs/read_write.c", "fs/select.c", "lib/iov_iter.c", "lib/checksum.c",
	"lib/rbtree.c", "lib/refcount.c", "arch/x86/entry/", "arch/x86/kernel/irq.c",
	"drivers/char/random.c", "drivers/net/veth.c", "drivers/net/loopback.c", "drivers/net/tun.c",
	"drivers/net/ethernet/intel/e1000/", "mm/slub.c",
};
// clang-format on

enum kind : unsigned { inlined = 1, called = 2, part = 4 };

struct site {
	string physical, caller, callee;
	int line;
	unsigned kind;
	auto operator<=>(const site &) const = default;
};

// A call that is the last act of its physical function, or not; callee "*" is a call through a pointer.
struct exit_site {
	string physical, caller, callee;
	int line;
	bool tail;
	auto operator<=>(const exit_site &) const = default;
};

using name_set = std::set<string>;
using name_pair = std::pair<string, string>;

struct findings {
	std::set<site> sites;
	std::set<exit_site> exits;
	name_set splits;                       // functions whose own code calls their rest
	std::map<name_pair, name_set> symbols; // (physical, callee): symbols that it calls
	std::map<string, name_set> copies;     // function: its own symbols
	// Function: symbol (the function's name also for an inlined head): callees in the source
	std::map<string, std::map<string, name_set>> body;
};

string base_name(string_view symbol) { return string(symbol.substr(0, symbol.find('.'))); }
bool is_part(string_view symbol) { return symbol.find(".part.") != symbol.npos; }
bool is_cold(string_view symbol) { return symbol.find(".cold") != symbol.npos; }

// One ELF file: symbols by address, and the target of a call instruction.
class image {
public:
	image(Dwfl_Module *module) : module_(module)
	{
		for (int i = 1, count = dwfl_module_getsymtab(module); i < count; ++i) {
			GElf_Sym symbol;
			GElf_Addr address;
			const char *name = dwfl_module_getsym_info(module, i, &symbol, &address, nullptr,
			                                           nullptr, nullptr);
			if (name != nullptr && symbol.st_shndx != SHN_UNDEF &&
			    GELF_ST_TYPE(symbol.st_info) == STT_FUNC)
				names_[address].emplace_back(name);
		}
		read_sections();
		std::ranges::sort(indirect_);
	}

	// Addresses of the calls through a pointer in [low, high): the kernel lists its retpolines.
	std::span<const Dwarf_Addr> indirect(Dwarf_Addr low, Dwarf_Addr high) const
	{
		return {std::ranges::lower_bound(indirect_, low), std::ranges::lower_bound(indirect_, high)};
	}

	// Whether the instruction at this address is a jump, conditional or not.
	bool is_jump(Dwarf_Addr address) const
	{
		auto [code, left] = code_at(address);
		if (left > longest && *code == 0x2e) // a prefix that pads
			++code;
		return left > longest && (*code == 0xe9 || *code == 0x0f);
	}

	// The symbol at this address; where several share it, the one that belongs to `wanted`.
	string symbol_at(Dwarf_Addr address, string_view wanted) const
	{
		const auto found = names_.find(address);
		if (found == names_.end())
			return {};
		for (const string &name : found->second)
			if (base_name(name) == wanted)
				return name;
		return found->second.front();
	}

	// The symbol that the direct call or jump which ends at `return_pc` goes to; empty if it is not
	// direct.
	string target(Dwarf_Addr return_pc, string_view wanted) const
	{
		const auto [start, left] = code_at(return_pc - longest);
		if (left < longest)
			return {};
		const unsigned char *end = start + longest;
		const bool near =
			end[-5] == 0xe8 || end[-5] == 0xe9 || (end[-6] == 0x0f && (end[-5] & 0xf0) == 0x80);
		if (near) {
			if (auto moved = relocations_.find(return_pc - 4); moved != relocations_.end())
				return moved->second.name.empty()
				               ? symbol_at(moved->second.address + 4, wanted)
				               : moved->second.name;
			std::int32_t distance;
			std::memcpy(&distance, end - 4, 4);
			return symbol_at(return_pc +
			                         static_cast<Dwarf_Addr>(static_cast<std::int64_t>(distance)),
			                 wanted);
		}
		if (end[-2] == 0xeb || (end[-2] & 0xf0) == 0x70)
			return symbol_at(return_pc + static_cast<Dwarf_Addr>(static_cast<std::int64_t>(
							     static_cast<signed char>(end[-1]))),
			                 wanted);
		return {};
	}

private:
	struct destination {
		string name;
		Dwarf_Addr address;
	};

	struct bytes {
		const unsigned char *start;
		std::size_t left;
	};

	static constexpr std::size_t longest = 6; // a conditional jump

	bytes code_at(Dwarf_Addr address) const
	{
		Dwarf_Addr offset = address, bias = 0;
		Elf_Scn *section = dwfl_module_address_section(module_, &offset, &bias);
		Elf_Data *data = section != nullptr ? elf_getdata(section, nullptr) : nullptr;
		if (data == nullptr || data->d_buf == nullptr || offset > data->d_size)
			return {nullptr, 0};
		return {static_cast<const unsigned char *>(data->d_buf) + offset, data->d_size - offset};
	}

	// vmlinux holds what is needed. Modules are relocatable: a call to another section holds zero, and so
	// does the list of retpolines; relocations name the targets.
	void read_sections()
	{
		GElf_Addr bias;
		Elf *elf = dwfl_module_getelf(module_, &bias);
		std::size_t names;
		GElf_Ehdr header;
		if (elf == nullptr || gelf_getehdr(elf, &header) == nullptr ||
		    elf_getshdrstrndx(elf, &names) != 0)
			return;
		const bool linked = header.e_type != ET_REL;
		for (Elf_Scn *scn = nullptr; (scn = elf_nextscn(elf, scn)) != nullptr;) {
			GElf_Shdr section, target;
			gelf_getshdr(scn, &section);
			if (linked && section.sh_type == SHT_PROGBITS &&
			    elf_strptr(elf, names, section.sh_name) == retpolines)
				read_retpolines(scn, section.sh_addr);
			if (linked || section.sh_type != SHT_RELA ||
			    gelf_getshdr(elf_getscn(elf, section.sh_info), &target) == nullptr)
				continue;
			if (const bool list = elf_strptr(elf, names, target.sh_name) == retpolines;
			    list || (target.sh_flags & SHF_EXECINSTR))
				read_relocations(elf, scn, section, list);
		}
	}

	void read_retpolines(Elf_Scn *scn, Dwarf_Addr address)
	{
		const Elf_Data *data = elf_getdata(scn, nullptr);
		for (std::size_t at = 0; at + 4 <= data->d_size; at += 4) {
			std::int32_t distance;
			std::memcpy(&distance, static_cast<const char *>(data->d_buf) + at, 4);
			indirect_.push_back(address + at + static_cast<Dwarf_Addr>(std::int64_t{distance}));
		}
	}

	void read_relocations(Elf *elf, Elf_Scn *scn, const GElf_Shdr &section, bool list)
	{
		Elf_Scn *symbols = elf_getscn(elf, section.sh_link);
		GElf_Shdr table_header;
		gelf_getshdr(symbols, &table_header);
		Elf_Data *data = elf_getdata(scn, nullptr), *table = elf_getdata(symbols, nullptr);
		const Dwarf_Addr base = list ? 0 : section_address(section.sh_info);
		for (int i = 0; i < static_cast<int>(section.sh_size / section.sh_entsize); ++i) {
			GElf_Rela rela;
			GElf_Sym symbol;
			gelf_getrela(data, i, &rela);
			gelf_getsym(table, static_cast<int>(GELF_R_SYM(rela.r_info)), &symbol);
			const auto addend = static_cast<Dwarf_Addr>(rela.r_addend);
			const bool named = GELF_ST_TYPE(symbol.st_info) != STT_SECTION;
			if (list)
				indirect_.push_back(section_address(symbol.st_shndx) + symbol.st_value +
				                    addend);
			else if (named)
				relocations_[base + rela.r_offset] = {
					elf_strptr(elf, table_header.sh_link, symbol.st_name), 0};
			else
				relocations_[base + rela.r_offset] = {"", section_address(symbol.st_shndx) +
				                                                  addend};
		}
	}

	// Where libdwfl has laid out a section of a relocatable file.
	Dwarf_Addr section_address(std::size_t index)
	{
		if (const auto known = layout_.find(index); known != layout_.end())
			return known->second;
		for (const auto &[address, names] : names_) {
			Dwarf_Addr offset = address, bias;
			Elf_Scn *scn = dwfl_module_address_section(module_, &offset, &bias);
			if (scn != nullptr && elf_ndxscn(scn) == index)
				return layout_[index] = address - offset;
		}
		return layout_[index] = 0;
	}

	static constexpr string_view retpolines = ".retpoline_sites";
	Dwfl_Module *module_;
	std::map<Dwarf_Addr, std::vector<string>> names_;
	std::map<Dwarf_Addr, destination> relocations_; // address of the four bytes: where they lead
	std::map<std::size_t, Dwarf_Addr> layout_;
	std::vector<Dwarf_Addr> indirect_;
};

string die_name(Dwarf_Die *die)
{
	const char *name = dwarf_diename(die); // follows DW_AT_abstract_origin
	return name != nullptr ? name : "";
}

std::optional<Dwarf_Word> number(Dwarf_Die *die, unsigned attribute)
{
	Dwarf_Attribute value;
	Dwarf_Word word;
	if (dwarf_attr(die, attribute, &value) == nullptr || dwarf_formudata(&value, &word) != 0)
		return {};
	return word;
}

// Walks the functions of one compile unit.
class unit_walker {
public:
	unit_walker(const image &file, Dwarf_Die *unit, Dwarf_Addr bias, findings &out)
		: file_(file), unit_(unit), bias_(bias), out_(out)
	{}

	void walk()
	{
		Dwarf_Die child;
		for (bool more = dwarf_child(unit_, &child) == 0; more;
		     more = dwarf_siblingof(&child, &child) == 0)
			if (dwarf_tag(&child) == DW_TAG_subprogram)
				function(&child);
	}

private:
	// One inlined instance on the way from the physical function to the point of the walk.
	struct frame {
		string name;
		bool goes_on_in_part = false; // it is a head: its rest is called
		name_set callees{};
	};

	void function(Dwarf_Die *die)
	{
		const string name = die_name(die);
		Dwarf_Addr base, low, high;
		std::ptrdiff_t next = 0;
		symbol_.clear();
		while (!name.empty() && (next = dwarf_ranges(die, next, &base, &low, &high)) > 0)
			if (string symbol = file_.symbol_at(low + bias_, name);
			    !symbol.empty() && !is_cold(symbol))
				symbol_ = symbol;
		if (symbol_.empty())
			return; // a declaration, an abstract instance, or code that the linker dropped
		physical_ = name;
		out_.copies[name].insert(symbol_);
		std::vector<frame> stack{{name}};
		block(die, stack);
		if (stack.front().goes_on_in_part && !is_part(symbol_))
			out_.splits.insert(name);
		out_.body[name][symbol_].merge(stack.front().callees);
		for (next = 0; (next = dwarf_ranges(die, next, &base, &low, &high)) > 0;)
			for (const Dwarf_Addr address : file_.indirect(low + bias_, high + bias_))
				indirect(die, address - bias_);
	}

	// A call through a pointer. Not every one has a call site in the DWARF.
	void indirect(Dwarf_Die *function, Dwarf_Addr address)
	{
		string caller = physical_;
		Dwarf_Die scope = *function, child;
		for (bool more = dwarf_child(&scope, &child) == 0; more;) {
			const int tag = dwarf_tag(&child);
			if ((tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine) &&
			    dwarf_haspc(&child, address) > 0) {
				if (tag == DW_TAG_inlined_subroutine)
					caller = die_name(&child);
				scope = child;
				more = dwarf_child(&scope, &child) == 0;
			} else {
				more = dwarf_siblingof(&child, &child) == 0;
			}
		}
		out_.exits.insert({physical_, caller, "*", line_of(address), file_.is_jump(address + bias_)});
	}

	void block(Dwarf_Die *die, std::vector<frame> &stack)
	{
		Dwarf_Die child;
		for (bool more = dwarf_child(die, &child) == 0; more;
		     more = dwarf_siblingof(&child, &child) == 0) {
			switch (dwarf_tag(&child)) {
			case DW_TAG_lexical_block:
				block(&child, stack);
				break;
			case DW_TAG_inlined_subroutine:
				inlined_call(&child, stack);
				break;
			case DW_TAG_call_site:
			case DW_TAG_GNU_call_site:
				call(&child, stack);
				break;
			default:
				break;
			}
		}
	}

	void inlined_call(Dwarf_Die *die, std::vector<frame> &stack)
	{
		const string caller = stack.back().name;
		stack.back().callees.insert(die_name(die));
		stack.push_back({die_name(die)});
		block(die, stack);
		frame done = std::move(stack.back());
		stack.pop_back();
		if (done.goes_on_in_part)
			out_.body[done.name][done.name].merge(done.callees);
		const auto line = static_cast<int>(number(die, DW_AT_call_line).value_or(0));
		const kind fate = done.goes_on_in_part ? part : inlined;
		out_.sites.insert({physical_, caller, done.name, line, fate});
	}

	void call(Dwarf_Die *die, std::vector<frame> &stack)
	{
		Dwarf_Attribute value;
		Dwarf_Addr return_pc;
		const bool old = dwarf_tag(die) == DW_TAG_GNU_call_site;
		if (dwarf_attr(die, old ? DW_AT_low_pc : DW_AT_call_return_pc, &value) == nullptr ||
		    dwarf_formaddr(&value, &return_pc) != 0)
			return;
		string callee;
		Dwarf_Die origin;
		if (dwarf_attr(die, old ? DW_AT_abstract_origin : DW_AT_call_origin, &value) != nullptr &&
		    dwarf_formref_die(&value, &origin) != nullptr)
			callee = die_name(&origin);
		string symbol = file_.target(return_pc + bias_, callee);
		if (symbol.starts_with("__x86_indirect_thunk") || symbol.starts_with("__x86_return_thunk"))
			symbol.clear();
		if (callee.empty())
			callee = base_name(symbol);
		if (callee.empty())
			return; // through a pointer
		bool tail = false;
		if (dwarf_attr(die, old ? DW_AT_GNU_tail_call : DW_AT_call_tail_call, &value) != nullptr)
			dwarf_formflag(&value, &tail);
		const int line = line_of(return_pc - 1);
		const string caller = stack.back().name;
		out_.exits.insert({physical_, caller, callee, line, tail});
		stack.back().callees.insert(callee);
		if (callee == caller && is_part(symbol)) {
			stack.back().goes_on_in_part = true;
			return;
		}
		out_.sites.insert({physical_, caller, callee, line, is_part(symbol) ? part : called});
		if (!symbol.empty())
			out_.symbols[{physical_, callee}].insert(symbol);
	}

	int line_of(Dwarf_Addr address) const
	{
		Dwarf_Line *row = dwarf_getsrc_die(unit_, address);
		int line = 0;
		if (row != nullptr)
			dwarf_lineno(row, &line);
		return line;
	}

	const image &file_;
	Dwarf_Die *unit_;
	Dwarf_Addr bias_;
	findings &out_;
	string symbol_, physical_;
};

bool wanted_unit(string_view path)
{
	if (const auto at = path.find("/linux-"); path.starts_with('/') && at != path.npos)
		path.remove_prefix(std::min(path.size(), path.find('/', at + 1) + 1));
	return std::ranges::any_of(unit_prefixes,
	                           [&](string_view prefix) { return path.starts_with(prefix); });
}

void read_file(const string &path, findings &out)
{
	static const Dwfl_Callbacks callbacks = {nullptr, dwfl_standard_find_debuginfo,
	                                         dwfl_offline_section_address, nullptr};
	Dwfl *dwfl = dwfl_begin(&callbacks);
	Dwfl_Module *module = dwfl_report_offline(dwfl, path.c_str(), path.c_str(), -1);
	if (module == nullptr)
		throw std::runtime_error(path + ": " + dwfl_errmsg(-1));
	dwfl_report_end(dwfl, nullptr, nullptr);
	const image file(module);
	Dwarf_Addr bias;
	for (Dwarf_Die *unit = nullptr; (unit = dwfl_module_nextcu(module, unit, &bias)) != nullptr;)
		if (wanted_unit(die_name(unit)))
			unit_walker(file, unit, bias, out).walk();
	dwfl_end(dwfl);
}

name_set read_names(const char *path)
{
	std::ifstream in(path);
	if (!in)
		throw std::runtime_error(string(path) + ": cannot be read");
	name_set names;
	for (string line; std::getline(in, line);)
		if (const string word = line.substr(0, line.find_first_of(" \t"));
		    !word.empty() && word[0] != '#')
			names.insert(word);
	return names;
}

string_view kind_name(unsigned kinds)
{
	switch (kinds) {
	case inlined:
		return "inlined";
	case called:
		return "called";
	case part:
		return "part";
	default:
		return "both";
	}
}

using lines = std::map<int, unsigned>; // source line: kinds seen there

unsigned kinds_of(const lines &all)
{
	unsigned kinds = 0;
	for (const auto &[line, kind] : all)
		kinds |= kind;
	return kinds;
}

string list_of(const lines &all)
{
	string text;
	for (const auto &[line, kinds] : all)
		for (const unsigned one : {inlined, called, part})
			if (kinds & one)
				text += (text.empty() ? "" : ",") + std::to_string(line) + ":" +
				        string(kind_name(one));
	return text;
}

constexpr string_view inlined_head = R"(# What the compiler did to calls in PROVENANCE.
# Derived by tools/inlining.cpp from that kernel's DWARF; not edited by hand.
#
# A function of the source is *physical* where it has code of its own; inlined into others it is part of their code.
# P is the physical function, C the function that the source calls from (P itself, or a function inlined into P),
# F the callee. All are names of the source, without compiler suffixes. Only an F that ftrace can trace has lines.
#
#   inlined P C F         every call C > F in P is inlined: F does not show, and P stays the physical function
#   part P C F            F's head is inlined and its rest is called: ftrace shows F's .part symbol, if it gets there
#   both P C F L:K,...    the sites differ; each is a source line of C with its kind (inlined, called, part), in order
#   called P C F          every call is a real one: only where a wider line would say otherwise
#   split F SYM +f -g     F called: ftrace shows F and in it its rest, SYM, if it gets there
#   rest F SYM +f -g      F's rest is SYM, which no code of F's own calls: it shows where a part line says so
#                         (+f: the source calls f in the rest only, so SYM shows if f ran; -g: in the head only)
#   name F SYM [P]        ftrace's name of F where it differs, [for calls from P only]
#
# P or C can be '*'. The first line that fits decides: (P, C, F), (*, C, F), (P, *, F); none: a real call.
# (P, *, F) says that every F in P, at whatever depth, is inlined: for a model that lacks a header's function between.
)";

constexpr string_view tail_head = R"(# Calls that are jumps in PROVENANCE: the caller leaves the stack.
# Derived by tools/inlining.cpp from that kernel's DWARF; not edited by hand.
#
# caller<TAB>callee[<TAB>sites]. The caller is physical (has code of its own); the functions inlined into it go too.
# callee '*' is a call through a pointer. Sites are there where not all calls of the pair are jumps: function:line:kind,
# function being the one that the source calls from, in order of lines; kind is tail or call.
# Where both names are the same, the head of a split function leaves and its rest stays.
)";

string with_provenance(string_view head, string_view provenance)
{
	string text(head);
	return text.replace(text.find("PROVENANCE"), std::strlen("PROVENANCE"), provenance);
}

class writer {
public:
	writer(const findings &in, const name_set &traceable, const name_set &names)
		: in_(in), symbols_(traceable)
	{
		for (const string &name : traceable)
			traceable_.insert(base_name(name));
		for (const string &name : names)
			names_.insert(base_name(name));
	}

	void inlining(std::ostream &out) const
	{
		// (C, F): P: lines, and (P, F): all kinds
		std::map<name_pair, std::map<string, lines>> pairs;
		std::map<name_pair, unsigned> within;
		std::set<name_pair> deep; // (P, F) with a function between
		for (const site &s : in_.sites) {
			if (!subject(s.callee))
				continue;
			pairs[{s.caller, s.callee}][s.physical][s.line] |= s.kind;
			within[{s.physical, s.callee}] |= s.kind;
			if (s.caller != s.physical)
				deep.insert({s.physical, s.callee});
		}
		name_set text;
		for (const auto &[pair, places] : pairs) {
			const auto &[caller, callee] = pair;
			// The wide line goes to the commonest answer that is one word.
			std::map<unsigned, int> count;
			for (const auto &[physical, all] : places)
				++count[kinds_of(all)];
			unsigned wide = called;
			int best = count.contains(called) ? count[called] : 0;
			for (const unsigned kind : {inlined, part})
				if (count.contains(kind) &&
				    (count[kind] > best || (count[kind] == best && kind == inlined)))
					wide = kind, best = count[kind];
			if (wide != called)
				text.insert(row(kind_name(wide), "*", caller, callee));
			for (const auto &[physical, all] : places)
				if (const unsigned kinds = kinds_of(all); std::popcount(kinds) > 1)
					text.insert(row("both", physical, caller, callee) + " " +
					            list_of(all));
				else if (kinds != wide)
					text.insert(row(kind_name(kinds), physical, caller, callee));
		}
		for (const auto &pf : deep)
			if (within[pf] == inlined)
				text.insert(row("inlined", pf.first, "*", pf.second));
		names(text);
		splits(text);
		for (const string &line : text)
			out << line << '\n';
	}

	void tails(std::ostream &out) const
	{
		std::map<name_pair, std::set<std::tuple<int, string, bool>>> pairs;
		for (const exit_site &e : in_.exits)
			if (subject(e.physical) && (e.callee == "*" || names_.contains(e.callee)))
				pairs[{e.physical, e.callee}].insert({e.line, e.caller, e.tail});
		for (const auto &[pair, sites] : pairs) {
			const auto is_tail = [](const auto &s) { return std::get<2>(s); };
			if (std::ranges::none_of(sites, is_tail))
				continue;
			out << pair.first << '\t' << pair.second;
			if (!std::ranges::all_of(sites, is_tail)) {
				char separator = '\t';
				for (const auto &[line, caller, tail] : sites) {
					out << separator << caller << ':' << line
					    << (tail ? ":tail" : ":call");
					separator = ',';
				}
			}
			out << '\n';
		}
	}

private:
	bool subject(const string &name) const { return names_.contains(name) && traceable_.contains(name); }

	static string row(string_view kind, string_view p, string_view c, string_view f)
	{
		string text(kind);
		for (const string_view word : {p, c, f})
			(text += ' ') += word;
		return text;
	}

	void names(name_set &text) const
	{
		for (const auto &[function, copies] : in_.copies) {
			name_set whole;
			for (const string &symbol : copies)
				if (!is_part(symbol) && symbols_.contains(symbol))
					whole.insert(symbol);
			if (!subject(function) || whole.empty())
				continue;
			if (whole.size() == 1) {
				if (*whole.begin() != function)
					text.insert("name " + function + " " + *whole.begin());
				continue;
			}
			for (const auto &[key, called_as] : in_.symbols)
				if (key.second == function)
					for (const string &symbol : called_as)
						if (symbol != function && whole.contains(symbol))
							text.insert("name " + function + " " + symbol + " " +
							            key.first);
		}
	}

	void splits(name_set &text) const
	{
		for (const auto &[function, copies] : in_.copies) {
			if (!subject(function))
				continue;
			for (const string &symbol : copies) {
				if (!is_part(symbol) || !symbols_.contains(symbol))
					continue;
				string row = (in_.splits.contains(function) ? "split " : "rest ") + function +
				             " " + symbol;
				if (const auto parts = in_.body.find(function); parts != in_.body.end()) {
					name_set rest, head;
					for (const auto &[where, callees] : parts->second)
						(where == symbol ? rest : head)
							.insert(callees.begin(), callees.end());
					for (const string &name : rest)
						if (!head.contains(name))
							row += " +" + name;
					for (const string &name : head)
						if (!rest.contains(name) && name != function)
							row += " -" + name;
				}
				text.insert(row);
			}
		}
	}

	const findings &in_;
	const name_set &symbols_;
	name_set traceable_, names_;
};

void write_sites(const findings &in, std::ostream &out)
{
	for (const site &s : in.sites)
		out << s.physical << '\t' << s.caller << '\t' << s.callee << '\t' << s.line << '\t'
		    << kind_name(s.kind) << '\n';
	for (const exit_site &e : in.exits)
		if (e.callee == "*")
			out << e.physical << '\t' << e.caller << "\t*\t" << e.line << "\tcalled\n";
}

} // namespace

int main(int argc, char **argv)
try {
	if (argc < 7) {
		std::cerr << "usage: inlining SITES TRACEABLE NAMES PROVENANCE PREFIX FILE...\n";
		return 2;
	}
	const string prefix = argv[5];
	findings found;
	for (int i = 6; i < argc; ++i)
		read_file(argv[i], found);
	const name_set traceable = read_names(argv[2]), names = read_names(argv[3]);
	const writer result(found, traceable, names);
	std::ofstream sites(argv[1]), inlining(prefix + ".inlined"), tails(prefix + ".tailcalls");
	write_sites(found, sites);
	inlining << with_provenance(inlined_head, argv[4]);
	result.inlining(inlining);
	tails << with_provenance(tail_head, argv[4]);
	result.tails(tails);
	if (!sites || !inlining || !tails)
		throw std::runtime_error("the output cannot be written");
	return 0;
} catch (const std::exception &error) {
	std::cerr << "inlining: " << error.what() << '\n';
	return 1;
}
