// Entry: the page, or with ?overlay only the picture.

const overlay = new URLSearchParams(location.search).has('overlay');
document.body.dataset.mode = overlay ? 'overlay' : 'room';
const { begin } = await import(overlay ? '/overlay.js' : '/room.js');
begin();
