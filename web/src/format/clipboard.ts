/** Puts text on the clipboard; also where the page came over plain HTTP from another machine and the modern way is closed. */
export async function copyText(content: string): Promise<boolean> {
  if (isSecureContext && 'clipboard' in navigator) {
    try {
      await navigator.clipboard.writeText(content);
      return true;
    } catch {
      // Refused by the browser's settings: the old way may still work.
    }
  }
  const field = document.createElement('textarea');
  field.value = content;
  field.style.position = 'fixed';
  field.style.opacity = '0';
  document.body.append(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  return done;
}
