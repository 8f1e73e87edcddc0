// Recording from the microphone, as a WAV file, so that the server needs no special decoder.

const RATE = 16000;

export function canRecord() {
  return Boolean(navigator.mediaDevices && navigator.mediaDevices.getUserMedia && window.MediaRecorder);
}

/** Start to record; returns a function that stops and resolves to a WAV file. `onEnd` is called when time is up. */
export async function record(mostSeconds, onEnd) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
  const recorder = new MediaRecorder(stream);
  const pieces = [];
  recorder.addEventListener("dataavailable", (event) => pieces.push(event.data));
  const stopped = new Promise((resolve) => recorder.addEventListener("stop", resolve, { once: true }));
  recorder.start();
  const timer = setTimeout(onEnd, 1000 * Math.max(1, mostSeconds - 1));
  return async () => {
    clearTimeout(timer);
    if (recorder.state !== "inactive") recorder.stop();
    await stopped;
    stream.getTracks().forEach((track) => track.stop()); // turns off the browser's recording indicator
    return toWav(new Blob(pieces, { type: recorder.mimeType }));
  };
}

async function toWav(blob) {
  const context = new AudioContext();
  const decoded = await context.decodeAudioData(await blob.arrayBuffer());
  await context.close();
  const offline = new OfflineAudioContext(1, Math.max(1, Math.ceil(decoded.duration * RATE)), RATE);
  const player = offline.createBufferSource();
  player.buffer = decoded;
  player.connect(offline.destination);
  player.start();
  const samples = (await offline.startRendering()).getChannelData(0);
  return new File([wavBytes(samples, RATE)], "recording.wav", { type: "audio/wav" });
}

/** Write mono samples within ±1 as a 16-bit WAV file. */
function wavBytes(samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (place, letters) => [...letters].forEach((letter, i) => view.setUint8(place + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // one channel
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, i) => view.setInt16(44 + 2 * i, 32767 * Math.max(-1, Math.min(1, sample)), true));
  return view.buffer;
}
