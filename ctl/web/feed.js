// SPDX-License-Identifier: GPL-3.0-or-later
// A member of a room whose media comes as plain RTP, from ffmpeg or GStreamer on this machine: VP8
// with payload type 101 and SSRC 11111111, Opus with 100 and 22222222. Where to is printed on
// standard output, one line of JSON, again whenever the room had to be made anew.

const IP = '127.0.0.1';
const RETRY_MS = 1000;
const STREAMS = [
  {
    id: 'feed-video',
    kind: 'video',
    source: 'test-picture',
    ssrc: 11111111,
    codec: { mimeType: 'video/VP8', clockRate: 90000, payloadType: 101 },
  },
  {
    id: 'feed-audio',
    kind: 'audio',
    source: 'test-sound',
    ssrc: 22222222,
    codec: { mimeType: 'audio/opus', clockRate: 48000, channels: 2, payloadType: 100 },
  },
];

export class Feed {
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  /** @type {import('./room.js').Member | undefined} */
  #member;
  #closed = false;

  /**
   * @param {import('./rooms.js').Rooms} rooms
   * @param {string} roomName
   * @param {(line: string) => void} log
   */
  constructor(rooms, roomName, log) {
    this.rooms = rooms;
    this.roomName = roomName;
    this.log = log;
    rooms.relay.on('up', () => void this.#open());
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #open() {
    clearTimeout(this.#timer);
    if (this.#member && !this.#member.room.closed) {
      return;
    }
    try {
      const member = await this.rooms.enter(this.roomName, { name: 'Test feed', kind: 'feed' });
      this.#member = member;
      member.room.once('close', () => this.#again());
      /** @type {Record<string, { port: number, rtcpPort: number | undefined }>} */
      const ports = {};
      for (const stream of STREAMS) {
        ports[stream.kind] = await this.#stream(member, stream);
      }
      const { router } = member.room;
      console.log(JSON.stringify({ room: this.roomName, routerId: router.id, ip: IP, ...ports }));
    } catch (error) {
      this.#member?.leave();
      this.#member = undefined;
      this.log(`feed: ${/** @type {Error} */ (error).message}`);
      this.#again();
    }
  }

  /**
   * @param {import('./room.js').Member} member
   * @param {typeof STREAMS[number]} stream
   */
  async #stream(member, { id, kind, source, ssrc, codec }) {
    const transport = await member.hold(() =>
      member.room.router.createPlainTransport({
        listenInfo: { protocol: 'udp', ip: IP },
        rtcpMux: false,
        comedia: true,
      }),
    );
    const rtpParameters = { codecs: [codec], encodings: [{ ssrc }] };
    await member.produce(transport, /** @type {any} */ ({ id, kind, rtpParameters }), source);
    return { port: transport.tuple.localPort, rtcpPort: transport.rtcpTuple?.localPort };
  }

  #again() {
    clearTimeout(this.#timer);
    if (!this.#closed) {
      this.#timer = setTimeout(() => {
        if (this.rooms.relay.up) {
          void this.#open();
        }
      }, RETRY_MS);
    }
  }
}
