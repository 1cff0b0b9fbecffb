// SPDX-License-Identifier: GPL-3.0-or-later
// Data channels; the relay has them in a later version.

export type SctpState = 'new' | 'connecting' | 'connected' | 'failed' | 'closed';

export type SctpParameters = {
  port: number;
  maxSendMessageSize: number;
  maxReceiveMessageSize: number;
  sendBufferSize: number;
  perStreamSendQueueLimit: number;
  maxReceiverWindowBufferSize: number;
  isDataChannel: boolean;
  OS: number;
  MIS: number;
  maxMessageSize: number;
};

export type SctpNegotiatedCapabilities = {
  negotiatedMaxOutboundStreams: number;
  negotiatedMaxInboundStreams: number;
};

export type SctpStreamParameters = {
  streamId: number;
  ordered?: boolean;
  maxPacketLifeTime?: number;
  maxRetransmits?: number;
};

/** What the options of transports say about SCTP. */
export type SctpOptions = {
  enableSctp?: boolean;
  maxSendMessageSize?: number;
  maxReceiveMessageSize?: number;
  sctpSendBufferSize?: number;
  sctpPerStreamSendQueueLimit?: number;
  sctpMaxReceiverWindowBufferSize?: number;
  sctpDefaultStreamBufferedAmountLowThreshold?: number;
};

const names = [
  'enableSctp',
  'maxSendMessageSize',
  'maxReceiveMessageSize',
  'sctpSendBufferSize',
  'sctpPerStreamSendQueueLimit',
  'sctpMaxReceiverWindowBufferSize',
  'sctpDefaultStreamBufferedAmountLowThreshold',
] as const satisfies readonly (keyof SctpOptions)[];

/** The options for the wire: without SCTP its sizes mean nothing, and are not told. */
export function sctpForWire<T extends SctpOptions>(options: T): Omit<T, keyof SctpOptions> {
  if (options.enableSctp) {
    return options;
  }
  const rest: SctpOptions = { ...options };
  for (const name of names) {
    delete rest[name];
  }
  return rest as Omit<T, keyof SctpOptions>;
}
