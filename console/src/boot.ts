// Before the first paint: theme and language, as they were chosen here or as the browser wishes. A classic script without imports.
const root = document.documentElement;
let chosen: { theme?: string; language?: string } = {};
try {
  chosen = JSON.parse(localStorage.getItem('clockwright.look') ?? '{}') as typeof chosen;
} catch {
  // A browser that keeps nothing: as it wishes.
}
const dark = chosen.theme === 'dark' || (chosen.theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
root.dataset['theme'] = dark ? 'dark' : 'light';
root.lang = chosen.language ?? (navigator.language.startsWith('zh') ? 'zh' : 'en');
