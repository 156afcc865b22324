/* A Cortex-M from reset to main, under emulation: input and output are the host's (semihosting). */
#include <stdint.h>
#include <stdlib.h>

extern uint32_t bss_start[], bss_end[];
extern void stack_top(void); /* no function; vectors are all of one type */
extern void initialise_monitor_handles(void);
extern int main(int count, char** arguments);

void reset(void);
static void fault(void) { _Exit(70); }

__attribute__((section(".vectors"), used)) static void (*const vectors[])(void) = {
    stack_top, reset, fault, fault, fault, fault, fault};

void reset(void) {
  *(volatile uint32_t*)0xe000ed88u |= 0xfu << 20; /* CPACR: floating point and Helium on */
  __asm__ volatile("dsb\n isb");
  for (uint32_t* word = bss_start; word != bss_end; ++word) *word = 0;
  initialise_monitor_handles();
  exit(main(0, NULL));
}

void _init(void) {}
void _fini(void) {}
