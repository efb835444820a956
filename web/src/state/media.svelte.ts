// Which of the three layouts the window has room for.

export type Layout = 'wide' | 'medium' | 'narrow';

export class LayoutState {
  now: Layout = $state('wide');

  constructor() {
    const wide = matchMedia('(min-width: 1180px)');
    const narrow = matchMedia('(max-width: 760px)');
    const update = (): void => {
      this.now = wide.matches ? 'wide' : narrow.matches ? 'narrow' : 'medium';
    };
    wide.addEventListener('change', update);
    narrow.addEventListener('change', update);
    update();
  }
}
