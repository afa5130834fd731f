// SPDX-License-Identifier: GPL-2.0-only
//
// Checks of the source tree itself.
#include <gtest/gtest.h>

TEST(tidy, placeholder) {}
