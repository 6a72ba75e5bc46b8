/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * For programs that include it: all of it is in zmq.h.
 */
#ifndef __ZMQ_UTILS_H_INCLUDED__
#define __ZMQ_UTILS_H_INCLUDED__

#include "zmq.h"

#endif
