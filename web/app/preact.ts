/** The door to the libraries that draw pages. */
export { createContext, render, type ComponentChildren, type VNode } from 'preact'
export { useCallback, useContext, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
/** JSX without a build: html`<p>${text}</p>`. Everything that is put in is text, never markup. */
export { html } from 'htm/preact'
