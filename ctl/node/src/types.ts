// SPDX-License-Identifier: GPL-3.0-or-later
// Every type, for `import { types } from 'sluice-client'` as in mediasoup.
export type * from './active_speaker_observer.js';
export type * from './app_data.js';
export type * from './audio_level_observer.js';
export type { ServerInfo } from './channel.js';
export type * from './consumer.js';
export type * from './data_consumer.js';
export type * from './data_producer.js';
export type * from './direct_transport.js';
export type * from './emitter.js';
export type * from './errors.js';
export type * from './listen_info.js';
export type * from './logger.js';
export type * from './observer.js';
export type * from './pipe_transport.js';
export type * from './plain_transport.js';
export type * from './producer.js';
export type * from './router.js';
export type * from './rtp_observer.js';
export type * from './rtp_parameters.js';
export type * from './rtp_stream_stats.js';
export type * from './scalability_mode.js';
export type * from './sctp_parameters.js';
export type * from './srtp_parameters.js';
export type * from './transport.js';
export type * from './webrtc_server.js';
export type * from './webrtc_transport.js';
export type * from './worker.js';
