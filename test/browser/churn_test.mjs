// SPDX-License-Identifier: GPL-3.0-or-later
// Join, mute, unmute, leave and join again, 20 times over, by every way out that there is; somebody
// who stays sees all of it, a third who only watches loses nothing of the others, and nothing is
// left in the relay.
import {
  allDecode,
  check,
  checkSoon,
  isEmpty,
  joinAs,
  launch,
  setWants,
  spread,
  startRelay,
  startServer,
  status,
  streams,
  test,
  until,
} from './rig.mjs';

const ROUNDS = 20;

const inRoom = (page) => async () =>
  (await status(page)) === 'You are in the room.' || (await status(page));

await test(async () => {
  await startRelay(process.argv[2] === 'spread' ? spread : []);
  const server = await startServer();
  const browser = await launch();
  const ada = await joinAs(browser, server.url, 'Ada', { wants: ['test'] });
  await checkSoon('Ada is in the room', inRoom(ada));

  const cleo = await joinAs(browser, server.url, 'Cleo', { wants: [] });
  await checkSoon('Cleo is in the room', inRoom(cleo));
  const memberId = (page) => page.evaluate(() => globalThis.sluiceCall.memberId);
  const cleoId = await memberId(cleo);
  const adas = ['Ada test-picture', 'Ada test-sound'];
  const bens = ['Ben camera', 'Ben microphone'];

  let ben = await joinAs(browser, server.url, 'Ben');
  const tile = ada.locator('.tile', { hasText: 'Ben' });
  const muted = (yes) => async () =>
    ((await tile.locator('.state').textContent()) === 'muted') === yes || 'the other';
  for (let round = 1; round <= ROUNDS; round++) {
    const ok = [
      await until(inRoom(ben)),
      await until(() => allDecode(ada, bens), 30_000),
      await until(() => allDecode(ben, adas), 30_000),
    ];
    await ben.click('#mute');
    ok.push(await until(muted(true)));
    await ben.click('#mute');
    ok.push(
      await until(muted(false)),
      await until(() => allDecode(cleo, [...adas, ...bens]), 30_000),
    );

    if (round % 5 === 0) {
      // The tab is closed, without a word.
      await ben.context().close();
      ben = await joinAs(browser, server.url, 'Ben');
    } else if (round % 5 === 1) {
      // The page is loaded again.
      await ben.reload();
      await ben.fill('#name', 'Ben');
      await setWants(ben, ['camera']);
      await ben.click('#join');
    } else {
      await ben.click('#leave');
      ok.push(
        await until(async () => (await tile.count()) === 0 || 'Ada still sees Ben'),
        await until(async () => (await streams(ada)).length === 0 || 'Ada still has streams'),
      );
      await ben.click('#join');
    }
    ok.push(await until(() => allDecode(cleo, adas))); // Ben's way out does not matter to her
    check(`round ${round}`, ok.every((one) => one === true), ok.filter((one) => one !== true));
  }

  // A WebSocket that breaks takes nobody out: the page comes back as the member that it was.
  await until(inRoom(ben));
  await until(() => allDecode(ada, bens));
  const before = await memberId(ben);
  await ben.evaluate(() => globalThis.sluiceCall.signal.restart());
  await checkSoon('Ben is back after the loss of the WebSocket', inRoom(ben));
  const after = await memberId(ben);
  check('as the same member', after === before);
  await checkSoon('and was heard all the time', () => allDecode(ada, bens));
  await ben.evaluate(() => globalThis.sluiceCall.wire.restartIce());
  await checkSoon('media goes on after a restart of ICE', () => allDecode(ben, adas));
  check('one Ben', (await tile.count()) === 1);

  await checkSoon('Cleo has been there all the time', () => allDecode(cleo, [...adas, ...bens]));
  check('as the member that she was', (await memberId(cleo)) === cleoId);

  await cleo.click('#leave');
  await ada.click('#leave');
  await ben.click('#leave');
  await checkSoon('nothing is left in the relay', isEmpty);
});
