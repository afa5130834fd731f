// SPDX-License-Identifier: GPL-2.0-only
//
// The program's entry. Prints its usage until the command line exists.
#include <cstdio>

int main()
{
	std::fputs("usage: skbwalk run SCENARIO\n", stderr);
	return 2;
}
