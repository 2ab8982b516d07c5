restore(true);
bar.hidden = false;
document.documentElement.dataset.ready = performance.now();
