// SPDX-License-Identifier: GPL-3.0-or-later
// Offers of real stacks become parameters and answers; what is wrong with an offer is said.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'sdp-transform';
import { writeAnswer } from '../answer.js';
import { defaultLimits } from '../limits.js';
import { readOffer } from '../offer.js';
import { chooseStreams, planPlay } from '../play.js';
import { planPublication } from '../publish.js';
import { isPlaying, isPublishing, offers } from './corpus.js';
import { FakeRooms, FakeTransport, rtpCapabilities } from './fake_rooms.js';

const MID = 'urn:ietf:params:rtp-hdrext:sdes:mid';

/** Everything that RFC 9725 and 9429 want of an answer, against its offer. */
function checkAnswer(text, offer, direction) {
  const answer = parse(text);
  const offered = parse(offer);
  assert.match(text, /^v=0\r\n/);
  assert.doesNotMatch(text, /undefined|NaN|\[object/);
  assert.equal(answer.icelite, 'ice-lite');
  assert.equal(answer.media.length, offered.media.length);
  const bundled = answer.media.filter(({ port }) => port !== 0);
  assert.deepEqual(
    answer.groups.map(({ type, mids }) => `${type} ${mids}`),
    [`BUNDLE ${bundled.map(({ mid }) => mid).join(' ')}`],
  );
  answer.media.forEach((section, i) => {
    const theirs = offered.media[i];
    assert.equal(section.mid, theirs.mid);
    assert.equal(section.type, theirs.type);
    assert.equal(section.protocol, theirs.protocol);
    if (section.port === 0) {
      return;
    }
    assert.ok([direction, 'inactive'].includes(section.direction), section.direction);
    assert.equal(section.setup, 'passive');
    assert.equal(section.rtcpMux, 'rtcp-mux');
    assert.equal(section.fingerprint.type, 'sha-256');
    assert.equal(section.iceUfrag.length, 32);
    assert.equal(section.candidates.length, 2);
    assert.equal(section.candidates[1].tcptype, 'passive');
    assert.equal(section.endOfCandidates, 'end-of-candidates');
    const numbers = String(theirs.payloads).split(' ');
    for (const { payload, codec } of section.rtp) {
      assert.ok(numbers.includes(String(payload)), `payload type ${payload} was not offered`);
      const same = theirs.rtp.find((each) => each.payload === payload);
      assert.equal(codec.toLowerCase(), same.codec.toLowerCase());
    }
    for (const { value, uri } of section.ext ?? []) {
      const same = theirs.ext.find((each) => each.value === value);
      assert.equal(same?.uri, uri);
    }
  });
  return answer;
}

function publish(name) {
  const text = offers.get(name);
  const offer = readOffer(text, defaultLimits);
  const { producers, answer } = planPublication(offer, rtpCapabilities);
  const { sdp } = writeAnswer(offer, answer, new FakeTransport());
  return { text, offer, producers, answer: checkAnswer(sdp, text, 'recvonly') };
}

async function play(name, kinds) {
  const text = offers.get(name);
  const rooms = new FakeRooms();
  await rooms.withStreams('room', kinds);
  const offer = readOffer(text, defaultLimits);
  const streams = chooseStreams(rooms.get('room').producers.values());
  const { consumers, answer } = planPlay(offer, streams);
  const { sdp } = writeAnswer(offer, answer, new FakeTransport());
  return { text, offer, consumers, answer: checkAnswer(sdp, text, 'sendonly') };
}

for (const name of [...offers.keys()].filter(isPublishing)) {
  test(`${name} is published`, () => {
    const { producers, text } = publish(name);
    const sections = parse(text).media;
    assert.deepEqual(
      producers.map(({ kind }) => kind),
      sections.map(({ type }) => type),
    );
    producers.forEach(({ kind, rtpParameters }, i) => {
      const [codec, rtx] = rtpParameters.codecs;
      assert.equal(rtpParameters.mid, String(sections[i].mid));
      assert.equal(codec.mimeType.toLowerCase(), kind === 'audio' ? 'audio/opus' : 'video/vp8');
      assert.equal(rtpParameters.encodings.length, 1);
      if (rtx) {
        assert.equal(rtx.parameters.apt, codec.payloadType);
      }
      const { ssrc } = rtpParameters.encodings[0];
      const hasMid = rtpParameters.headerExtensions.some(({ uri }) => uri === MID);
      assert.ok(ssrc > 0 || hasMid);
    });
  });
}

for (const name of [...offers.keys()].filter(isPlaying)) {
  test(`${name} is played to`, async () => {
    const { consumers, answer } = await play(name);
    assert.equal(consumers.length, 2);
    for (const { rtpParameters, rtpMapping } of consumers) {
      const section = answer.media.find(({ mid }) => String(mid) === rtpParameters.mid);
      const [{ ssrc, rtx }] = rtpParameters.encodings;
      assert.equal(section.ssrcs[0].id, ssrc);
      assert.equal(rtpMapping.codecs[0].mappedPayloadType, section.rtp[0].payload);
      assert.equal(section.msid[0].id, 'sluice');
      if (rtx) {
        assert.equal(section.ssrcGroups[0].ssrcs, `${ssrc} ${rtx.ssrc}`);
      }
    }
    const ssrcs = consumers.flatMap(({ rtpParameters: { encodings } }) =>
      encodings.flatMap(({ ssrc, rtx }) => [ssrc, ...(rtx ? [rtx.ssrc] : [])]),
    );
    assert.equal(new Set(ssrcs).size, ssrcs.length);
  });
}

test('Chromium: SSRCs, RTX, feedback and extensions', () => {
  const { producers } = publish('chromium-sendonly');
  const { rtpParameters } = producers.find(({ kind }) => kind === 'video');
  const [codec, rtx] = rtpParameters.codecs;
  const [encoding] = rtpParameters.encodings;
  assert.ok(encoding.ssrc > 0 && encoding.rtx.ssrc > 0);
  assert.match(rtx.mimeType, /rtx/);
  const feedback = codec.rtcpFeedback.map(({ type, parameter }) => `${type} ${parameter}`.trim());
  assert.deepEqual(feedback.sort(), ['ccm fir', 'nack', 'nack pli', 'transport-cc']);
  const uris = rtpParameters.headerExtensions.map(({ uri }) => uri);
  assert.ok(uris.includes(MID));
  assert.ok(!uris.some((uri) => uri.includes('stream-id')), 'no layers, no identifiers of them');
  assert.ok(rtpParameters.rtcp.cname.length > 0);
});

test('simulcast: one layer, found by MID', () => {
  const { producers, answer } = publish('chromium-simulcast');
  assert.deepEqual(producers[0].rtpParameters.encodings, [{}]);
  assert.equal(answer.media[0].simulcast, undefined);
  assert.equal(answer.media[0].rids, undefined);
});

test('a viewer of a room with one kind gets an inactive section for the other', async () => {
  for (const [kind, other] of [
    ['audio', 'video'],
    ['video', 'audio'],
  ]) {
    const { consumers, answer } = await play('chromium-recvonly', [kind]);
    assert.equal(consumers.length, 1);
    assert.equal(answer.media.find(({ type }) => type === kind).direction, 'sendonly');
    assert.equal(answer.media.find(({ type }) => type === other).direction, 'inactive');
  }
});

test('a viewer with a data channel gets the audio, and no data channel', async () => {
  const { answer } = await play('chromium-datachannel');
  assert.deepEqual(
    answer.media.map(({ type, port }) => [type, port !== 0]),
    parse(offers.get('chromium-datachannel')).media.map(({ type }) => [type, type === 'audio']),
  );
});

test('a publisher cannot write lines into the answer of its viewers', async () => {
  const evil = 'x\r\na=candidate:1 1 udp 1 198.51.100.1 9 typ host';
  const offer = readOffer(offers.get('chromium-recvonly'), defaultLimits);
  for (const cname of [evil, 'a\nb', 'a b', '', 'x'.repeat(65), undefined]) {
    const { producers } = await roomOf();
    for (const { producer } of producers.values()) {
      producer.consumableRtpParameters.rtcp = { cname };
    }
    const { consumers, answer } = planPlay(offer, chooseStreams(producers.values()));
    const { sdp } = writeAnswer(offer, answer, new FakeTransport());
    assert.doesNotMatch(sdp, /198\.51/);
    for (const { ssrcs } of parse(sdp).media) {
      assert.ok(ssrcs.every(({ value }) => producers.has(String(value))), sdp);
    }
    assert.ok(consumers.every(({ rtpParameters }) => rtpParameters.rtcp.cname === undefined));
  }
  // What gets past that is not written.
  const streams = chooseStreams((await roomOf()).producers.values());
  for (const part of ['cname', 'track']) {
    const { answer } = planPlay(offer, streams);
    answer[0].stream[part] = evil;
    assert.throws(() => writeAnswer(offer, answer, new FakeTransport()), TypeError);
  }
});

async function roomOf() {
  const rooms = new FakeRooms();
  await rooms.withStreams('room');
  return rooms.get('room');
}

test('streams of one member go together; WHIP comes before pages', async () => {
  const rooms = new FakeRooms();
  await rooms.withStreams('room', ['audio', 'video'], 'whip');
  const whip = [...rooms.get('room').producers.values()].map(({ member }) => member)[0];
  await rooms.withStreams('room', ['audio', 'video'], 'page');
  await rooms.withStreams('room', ['audio'], 'page');
  const streams = chooseStreams(rooms.get('room').producers.values());
  assert.equal(streams.get('video').member, whip);
  assert.equal(streams.get('audio').member, whip);
  assert.equal(chooseStreams([]).size, 0);
});

test('a fingerprint of another hash, DTLS roles, session-level attributes', () => {
  const text = offers.get('chromium-sendonly');
  const passive = readOffer(text.replaceAll('setup:actpass', 'setup:passive'), defaultLimits);
  assert.equal(passive.setup, 'active');
  assert.equal(passive.dtlsParameters.role, 'server');
  const active = readOffer(text.replaceAll('setup:actpass', 'setup:active'), defaultLimits);
  assert.equal(active.setup, 'passive');
  // Firefox has its fingerprint at the level of the session.
  const firefox = readOffer(offers.get('firefox-sendonly'), defaultLimits);
  assert.equal(firefox.dtlsParameters.fingerprints[0].algorithm, 'sha-256');
});

const send = () => offers.get('chromium-sendonly');
const refusals = [
  ['nothing', () => '', 400, /v=0/],
  ['words', () => 'Hello!', 400, /v=0/],
  ['JSON', () => '{"sdp":"v=0"}', 400, /v=0/],
  ['a broken line', () => send().replace('a=group', 'group'), 400, /^Line \d+/],
  ['no o=', () => send().replace(/^o=.*\r\n/m, ''), 400, /o= line/],
  ['a broken m= line', () => send().replace(/^m=audio.*$/m, 'm=audio x y'), 400, /m= line/],
  ['no media', () => send().split('m=')[0], 422, /no m= section/],
  ['no mid', () => send().replace(/^a=mid:.*\r\n/gm, ''), 422, /a=mid/],
  ['the same mid twice', () => send().replace(/^a=mid:.*$/gm, 'a=mid:x'), 400, /same a=mid/],
  ['a long mid', () => send().replace('a=mid:0', `a=mid:${'x'.repeat(33)}`), 422, /a=mid/],
  ['no BUNDLE', () => send().replace(/^a=group.*\r\n/m, ''), 422, /BUNDLE/],
  ['no rtcp-mux', () => send().replace(/^a=rtcp-mux\r\n/gm, ''), 422, /rtcp-mux/],
  ['no ICE', () => send().replace(/^a=ice-(ufrag|pwd).*\r\n/gm, ''), 422, /ice-ufrag/],
  ['half of ICE', () => send().replace(/^a=ice-pwd.*\r\n/gm, ''), 400, /ice-pwd/],
  ['a short password', () => send().replace(/ice-pwd:.*/g, 'ice-pwd:short'), 400, /ice-pwd/],
  ['ICE lite', () => send().replace('t=0 0', 't=0 0\r\na=ice-lite'), 422, /ice-lite/],
  ['no fingerprint', () => send().replace(/^a=fingerprint.*\r\n/gm, ''), 422, /fingerprint/],
  ['a broken fingerprint', () => send().replace(/(sha-256 )\S+/g, '$1AB:CD'), 400, /fingerprint/],
  ['MD5', () => send().replace(/sha-256/g, 'md5'), 422, /sha-256/],
  ['holdconn', () => send().replaceAll('setup:actpass', 'setup:holdconn'), 422, /setup/],
  ['recvonly', () => offers.get('chromium-recvonly'), 422, /sendonly/],
  ['inactive', () => send().replaceAll('a=sendonly', 'a=inactive'), 422, /sendonly/],
  [
    'a data channel',
    () => offers.get('firefox-datachannel').replaceAll('a=recvonly', 'a=sendonly'),
    422,
    /m=application/,
  ],
  ['no codec in common', () => send().replace(/opus\/48000\/2/g, 'other/48000/2'), 422, /opus/],
  [
    'two of a kind',
    () => {
      const [head, first] = offers.get('chromium-simulcast').split(/(?=^m=)/m);
      const second = first.replace('a=mid:0', 'a=mid:1');
      return head.replace('BUNDLE 0', 'BUNDLE 0 1') + first + second;
    },
    422,
    /two of video/,
  ],
  [
    'a stream without a name',
    () => send().replace(/^a=(ssrc|extmap).*\r\n/gm, ''),
    422,
    /neither by a=ssrc/,
  ],
  ['too many lines', () => send() + 'a=x\r\n'.repeat(2000), 400, /lines/],
  [
    'too many sections',
    () => send() + 'm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n'.repeat(8),
    422,
    /m= sections/,
  ],
];

for (const [what, make, status, words] of refusals) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => planPublication(readOffer(make(), defaultLimits), rtpCapabilities),
      (error) => error.status === status && words.test(error.message),
    );
  });
}

test('refused: a player that sends, and one without the codec', async () => {
  const rooms = new FakeRooms();
  await rooms.withStreams('room');
  const streams = chooseStreams(rooms.get('room').producers.values());
  for (const [text, words] of [
    [send(), /recvonly/],
    [offers.get('gstreamer-play').replace(/VP8|OPUS/g, 'H999'), /cannot receive/],
  ]) {
    assert.throws(
      () => planPlay(readOffer(text, defaultLimits), streams),
      (error) => error.status === 422 && words.test(error.message),
    );
  }
});
