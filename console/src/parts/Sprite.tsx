/** Every shape that is drawn, once in the document. Squares are history, circles are now, dotted is what has not happened. */
export function Sprite() {
  return (
    <svg width="0" height="0" className="sr" aria-hidden="true">
      <defs>
        <symbol id="g-ok" viewBox="0 0 12 12"><rect x="1" y="1" width="10" height="10" rx="2" fill="currentColor"/></symbol>
        <symbol id="g-fail" viewBox="0 0 12 12"><rect x="0.5" y="0.5" width="11" height="11" rx="2" fill="currentColor"/><path className="cut" d="M3.6 3.6l4.8 4.8M8.4 3.6l-4.8 4.8" strokeWidth="1.7" strokeLinecap="round" fill="none"/></symbol>
        <symbol id="g-miss" viewBox="0 0 12 12"><rect x="1.6" y="1.6" width="8.8" height="8.8" rx="1.4" fill="none" stroke="currentColor" strokeWidth="2.2"/></symbol>
        <symbol id="g-skip" viewBox="0 0 12 12"><rect x="1" y="4.7" width="10" height="2.6" rx="1" fill="currentColor"/></symbol>
        <symbol id="g-coal" viewBox="0 0 12 12"><path d="M1 11V2.2L10.4 11z" fill="currentColor" stroke="currentColor" strokeWidth=".8" strokeLinejoin="round"/></symbol>
        <symbol id="g-canc" viewBox="0 0 12 12"><rect x="1.2" y="1.2" width="9.6" height="9.6" rx="1.6" fill="none" stroke="currentColor" strokeWidth="1.4"/><path d="M2.4 9.6l7.2-7.2" stroke="currentColor" strokeWidth="1.6"/></symbol>
        <symbol id="g-un" viewBox="0 0 12 12"><rect x="1" y="1" width="10" height="10" rx="2" fill="none" stroke="currentColor" strokeWidth="1.3" strokeDasharray="2 1.4"/><path d="M4.3 4.6c0-2.3 3.4-2.3 3.4 0 0 1.2-1.7 1.3-1.7 2.5" fill="none" stroke="currentColor" strokeWidth="1.3" strokeLinecap="round"/><circle cx="6" cy="8.9" r=".8" fill="currentColor"/></symbol>
        <symbol id="g-run" viewBox="0 0 12 12"><circle cx="6" cy="6" r="4.9" fill="none" stroke="currentColor" strokeWidth="1.5"/><circle cx="6" cy="6" r="2.3" fill="currentColor"/></symbol>
        <symbol id="g-wait" viewBox="0 0 12 12"><circle cx="6" cy="6" r="4.4" fill="none" stroke="currentColor" strokeWidth="1.2" strokeDasharray="1.6 1.5"/></symbol>
        <symbol id="s-ok" viewBox="0 0 12 12"><circle cx="6" cy="6" r="3.2" fill="currentColor"/></symbol>
        <symbol id="s-run" viewBox="0 0 12 12"><circle cx="6" cy="6" r="4.9" fill="none" stroke="currentColor" strokeWidth="1.5"/><circle cx="6" cy="6" r="2.3" fill="currentColor"/></symbol>
        <symbol id="s-paused" viewBox="0 0 12 12"><circle cx="6" cy="6" r="5" fill="none" stroke="currentColor" strokeWidth="1.3"/><path d="M4.7 4v4M7.3 4v4" stroke="currentColor" strokeWidth="1.4" strokeLinecap="round"/></symbol>
        <symbol id="s-off" viewBox="0 0 12 12"><circle cx="6" cy="6" r="5" fill="none" stroke="currentColor" strokeWidth="1.3"/><path d="M2.6 9.4l6.8-6.8" stroke="currentColor" strokeWidth="1.3"/></symbol>
        <symbol id="s-none" viewBox="0 0 12 12"><circle cx="6" cy="6" r="5.6" fill="currentColor"/><path className="cut" d="M6 3.1v3.4" strokeWidth="1.6" strokeLinecap="round"/><circle cx="6" cy="8.8" r=".95" className="cut" strokeWidth=".6"/></symbol>
        <symbol id="s-reshard" viewBox="0 0 12 12"><circle cx="6" cy="6" r="5" fill="none" stroke="currentColor" strokeWidth="1.3"/><path d="M6 1a5 5 0 0 1 0 10z" fill="currentColor"/></symbol>
        <symbol id="s-bad" viewBox="0 0 12 12"><path d="M6 .9l5.4 9.9H.6z" fill="none" stroke="currentColor" strokeWidth="1.3" strokeLinejoin="round"/><path d="M6 4.4v2.8" stroke="currentColor" strokeWidth="1.3" strokeLinecap="round"/><circle cx="6" cy="9" r=".75" fill="currentColor"/></symbol>
        <symbol id="s-drift" viewBox="0 0 12 12"><circle cx="4.4" cy="6" r="3.5" fill="none" stroke="currentColor" strokeWidth="1.3"/><circle cx="7.6" cy="6" r="3.5" fill="none" stroke="currentColor" strokeWidth="1.3"/></symbol>
        <symbol id="s-unman" viewBox="0 0 12 12"><circle cx="6" cy="6" r="4.6" fill="none" stroke="currentColor" strokeWidth="1.2" strokeDasharray="2 1.6"/><circle cx="6" cy="6" r="1.5" fill="currentColor"/></symbol>
        <symbol id="i-over" viewBox="0 0 16 16"><path d="M2.5 13.5h11M4 11V8M8 11V3.5M12 11V6"/></symbol>
        <symbol id="i-ledger" viewBox="0 0 16 16"><path d="M3 2.5h8.5A1.5 1.5 0 0 1 13 4v9.5H4.5A1.5 1.5 0 0 1 3 12zM3 12a1.5 1.5 0 0 1 1.5-1.5H13M6 5.5h4M6 8h2.5"/></symbol>
        <symbol id="i-bell" viewBox="0 0 16 16"><path d="M8 2.2a4 4 0 0 0-4 4c0 3.6-1.5 4.6-1.5 4.6h11S12 9.8 12 6.200a4 4 0 0 0-4-4zM6.7 13.300a1.5 1.5 0 0 0 2.6 0"/></symbol>
        <symbol id="i-runs" viewBox="0 0 16 16"><circle cx="8" cy="8" r="5.7"/><path d="M6.8 5.800L10.2 8l-3.4 2.2z"/></symbol>
        <symbol id="i-fleet" viewBox="0 0 16 16"><rect x="2.5" y="3" width="11" height="4" rx="1"/><rect x="2.5" y="9" width="11" height="4" rx="1"/><path d="M5 5h.01M5 11h.01"/></symbol>
        <symbol id="i-jobs" viewBox="0 0 16 16"><path d="M2.5 4h1M2.5 8h1M2.5 12h1M6 4h7.500M6 8h7.500M6 12h7.5"/></symbol>
        <symbol id="i-proj" viewBox="0 0 16 16"><path d="M2.5 4.500a1 1 0 0 1 1-1h3l1.5 1.700h4.500a1 1 0 0 1 1 1v5.800a1 1 0 0 1-1 1h-9a1 1 0 0 1-1-1z"/></symbol>
        <symbol id="i-audit" viewBox="0 0 16 16"><path d="M8 2l5 1.800v3.700c0 3.2-2.1 5.3-5 6.5-2.9-1.2-5-3.3-5-6.500V3.800zM5.8 8l1.6 1.600L10.4 6.4"/></symbol>
        <symbol id="i-gear" viewBox="0 0 16 16"><path d="M2.5 4.500h6M11.5 4.500h2M2.5 11.500h2M7.5 11.500h6"/><circle cx="10" cy="4.5" r="1.5"/><circle cx="6" cy="11.5" r="1.5"/></symbol>
        <symbol id="i-search" viewBox="0 0 16 16"><circle cx="7" cy="7" r="4.3"/><path d="M10.3 10.300L13.5 13.5"/></symbol>
        <symbol id="i-down" viewBox="0 0 16 16"><path d="M4.5 6.500L8 10l3.5-3.5"/></symbol>
        <symbol id="i-right" viewBox="0 0 16 16"><path d="M6.5 4.500L10 8l-3.5 3.5"/></symbol>
        <symbol id="i-globe" viewBox="0 0 16 16"><circle cx="8" cy="8" r="5.7"/><path d="M2.5 8h11M8 2.300c2 1.7 2.5 3.7 2.5 5.700S10 12 8 13.700C6 12 5.5 10 5.5 8S6 4 8 2.300z"/></symbol>
        <symbol id="i-theme" viewBox="0 0 16 16"><circle cx="8" cy="8" r="5.5"/><path d="M8 2.500v11A5.5 5.5 0 0 0 8 2.500z" fill="currentColor"/></symbol>
        <symbol id="i-more" viewBox="0 0 16 16"><path d="M3.5 8h.01M8 8h.01M12.5 8h.01" strokeWidth="2.2"/></symbol>
        <symbol id="i-check" viewBox="0 0 16 16"><path d="M3.5 8.500L6.5 11.5 12.5 5"/></symbol>
        <symbol id="i-x" viewBox="0 0 16 16"><path d="M4 4l8 8M12 4l-8 8"/></symbol>
        <symbol id="i-copy" viewBox="0 0 16 16"><rect x="5.5" y="5.5" width="8" height="8" rx="1.3"/><path d="M10.5 5.500V3.800A1.3 1.3 0 0 0 9.2 2.500H3.800A1.3 1.3 0 0 0 2.5 3.800v5.400a1.3 1.3 0 0 0 1.3 1.300h1.7"/></symbol>
        <symbol id="i-retry" viewBox="0 0 16 16"><path d="M13 8a5 5 0 1 1-1.5-3.600L13 6M13 2.800V6H9.8"/></symbol>
        <symbol id="i-play" viewBox="0 0 16 16"><path d="M5 3.500v9l7.500-4.500z"/></symbol>
        <symbol id="i-pause" viewBox="0 0 16 16"><path d="M5.500 3.500v9M10.500 3.500v9"/></symbol>
        <symbol id="i-drain" viewBox="0 0 16 16"><path d="M3 3.500h10M8 6v7M5 10l3 3 3-3"/></symbol>
        <symbol id="i-off" viewBox="0 0 16 16"><circle cx="8" cy="8" r="5.2"/><path d="M4.400 11.600l7.200-7.200"/></symbol>
        <symbol id="i-rebalance" viewBox="0 0 16 16"><path d="M2.500 5h9M9 2.500L11.500 5 9 7.500M13.500 11h-9M7 8.500L4.500 11 7 13.500"/></symbol>
        <symbol id="i-arrow" viewBox="0 0 16 16"><path d="M3 8h9.500M9 4.500L12.500 8 9 11.500"/></symbol>
        <symbol id="i-plus" viewBox="0 0 16 16"><path d="M8 3v10M3 8h10"/></symbol>
        <symbol id="i-edit" viewBox="0 0 16 16"><path d="M3 13l.7-3L10.500 3.200l2.300 2.300L6 12.300z"/></symbol>
        <symbol id="i-menu" viewBox="0 0 16 16"><path d="M2.5 4.500h11M2.5 8h11M2.5 11.500h11"/></symbol>
        <symbol id="i-brand" viewBox="0 0 20 20"><rect x="1" y="1" width="18" height="18" rx="5" fill="currentColor" stroke="none"/><g className="cut" fill="none" strokeWidth="1.7" strokeLinecap="round"><path d="M10 5.200V10l3.3 2"/><path d="M10 2.600v.01M17.4 10h.01M10 17.400v.01M2.6 10h.01"/></g></symbol>
      </defs>
    </svg>
  );
}

/** The names of the shapes. */
export type Shape =
  | 'g-ok'
  | 'g-fail'
  | 'g-miss'
  | 'g-skip'
  | 'g-coal'
  | 'g-canc'
  | 'g-un'
  | 'g-run'
  | 'g-wait'
  | 's-ok'
  | 's-run'
  | 's-paused'
  | 's-off'
  | 's-none'
  | 's-reshard'
  | 's-bad'
  | 's-drift'
  | 's-unman'
  | 'i-over'
  | 'i-ledger'
  | 'i-bell'
  | 'i-runs'
  | 'i-fleet'
  | 'i-jobs'
  | 'i-proj'
  | 'i-audit'
  | 'i-gear'
  | 'i-search'
  | 'i-down'
  | 'i-right'
  | 'i-globe'
  | 'i-theme'
  | 'i-more'
  | 'i-check'
  | 'i-x'
  | 'i-copy'
  | 'i-retry'
  | 'i-play'
  | 'i-pause'
  | 'i-drain'
  | 'i-off'
  | 'i-rebalance'
  | 'i-arrow'
  | 'i-plus'
  | 'i-edit'
  | 'i-menu'
  | 'i-brand';
