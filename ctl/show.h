/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/show.h - what workers report about streams and transports, in the shapes of mediasoup's
 * stats. New references. Control thread. */
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include "ctl/model.h"

/* RtpStreamRecvStats of one encoding; `params` is the producer's rtpParameters. */
json_t *show_inbound(const struct producer *producer, const json_t *params, size_t encoding,
                     const struct stream_stats *stream);

/* RtpStreamSendStats; `params` is the consumer's rtpParameters. */
json_t *show_outbound(const struct consumer *consumer, const json_t *params,
                      const struct consumer_stats *stats);

json_t *show_transport(const struct transport *transport, const struct transport_stats *stats);

/* RtpStreamDump of an encoding of parameters. */
json_t *show_stream(const json_t *params, size_t encoding, int score);

/* {score, producerScore, producerScores} */
json_t *show_score(const struct consumer *consumer);

#endif
