/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/image.h - libraries as they lie in this process' memory. */
#ifndef CORE_IMAGE_H
#define CORE_IMAGE_H

#include <stddef.h>

/* The code and constants of loaded libraries whose file names begin with `prefix` leave the
 * process' memory; what is called after all comes back from the file. For a library that is linked
 * but not used: loading it touches most of its pages. (What a debugger has written into them, its
 * breakpoints, goes, too.) Returns how many bytes the system was asked to take. Any thread, not on
 * the media path. */
size_t image_give_back(const char *prefix);

#endif
